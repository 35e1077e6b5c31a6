"use strict";
// The clips of the page: what it holds itself, and what it loads from files beside it when a clip is
// shown, or all clips are sorted, filtered or searched.

const DATA = JSON.parse(document.getElementById("data").textContent);
const TABLES = DATA.tables; // field -> texts, of which clips have the positions
const MAX_FILES_KEPT = 400; // of clips' texts: some 100 MB
const FILES_AT_ONCE = 6;

/** Some clips: a list for each field. */
class ClipTexts {
  constructor({ folders, notes, rows }) {
    Object.assign(this, { folders, notes, rows });
    this.searched = []; // position -> what the search box looks through, made when it is first used
  }

  /** The texts of a clip, as they are drawn and searched. */
  at(position) {
    const { rows } = this;
    return {
      name: rows.name[position],
      path: this.folders[rows.folder[position]] + rows.name[position],
      label: TABLES.label[rows.label[position]] ?? "",
      truth: TABLES.truth[rows.truth[position]] ?? "",
      answer: TABLES.answer[rows.answer[position]] ?? "",
      mass: percent(rows.mass[position]),
      score: rows.shown[position],
      drop: percent(rows.drop[position]),
      sentence: rows.sentence[position],
      motion: percent(rows.motion_share[position]),
      motionSentence: rows.motion_sentence[position],
      duration: clock(rows.duration_seconds[position]),
      status: TABLES.status[rows.status[position]] ?? "",
      error: rows.error[position],
      notes: rows.notes[position].map((note) => this.notes[note]),
    };
  }

  /** The address of the folder with a clip's results; null where there are none. */
  results(position) {
    return this.rows.results[position];
  }

  has(position, words) {
    this.searched[position] ??= this._searchedText(position);
    return words.every((word) => this.searched[position].includes(word));
  }

  _searchedText(position) {
    const { sentence, motionSentence, notes, ...texts } = this.at(position);
    return [...Object.values(texts), ...notes.map((note) => note.text)].join("\n").toLowerCase();
  }
}

/** All clips, known by their indices in the order of results.jsonl. */
class Clips {
  constructor({ num_clips, clips_per_file, folder, held }) {
    this.count = num_clips;
    this.isWhole = folder === null;
    this.perFile = this.isWhole ? Math.max(num_clips, 1) : clips_per_file;
    const texts = new ClipTexts(held);
    this.first = held.indices ?? []; // the clips that a page with files shows first
    this.held = new Map(this.first.map((index, position) => [index, { texts, position }]));
    this.files = new Map(this.isWhole ? [[0, Promise.resolve(texts)]] : []); // as last used
    this.keysOf = new Map(); // field -> promise of numbers
  }

  indices() {
    return Uint32Array.from({ length: this.count }, (_, index) => index);
  }

  /** {texts, position} of clips. */
  places(indices) {
    return Promise.all(Array.from(indices, (index) => this.held.get(index) ?? this._place(index)));
  }

  async _place(index) {
    const texts = await this._file(Math.floor(index / this.perFile));
    return { texts, position: index % this.perFile };
  }

  /** A number for each clip, NaN or -1 where a value is missing; of the name its place, sorted. */
  keys(field) {
    if (!this.keysOf.has(field)) {
      this.keysOf.set(field, this.isWhole ? this._keysHere(field) : loadKeys(field));
    }
    return this.keysOf.get(field);
  }

  async _keysHere(field) {
    const { rows } = await this.files.get(0);
    if (this.count === 0) return [];
    if (field === "name") return ranks(rows.name);
    return field in TABLES ? rows[field] : Float64Array.from(rows[field], (value) => value ?? NaN);
  }

  /**
   * Which of the clips, in their order, have all words.
   * @param report called with the share that has been looked through; ends the search if it returns false.
   */
  async search(indices, words, report) {
    const ofFile = new Map(); // file -> the clips in it that are looked through
    for (const index of indices) {
      const file = Math.floor(index / this.perFile);
      if (!ofFile.has(file)) ofFile.set(file, []);
      ofFile.get(file).push(index);
    }
    const isFound = new Uint8Array(this.count);
    const waiting = [...ofFile];
    let numRead = 0;
    const read = async () => {
      while (waiting.length && report(numRead / ofFile.size)) {
        const [file, own] = waiting.shift();
        const texts = await this._file(file);
        for (const index of own) isFound[index] = texts.has(index % this.perFile, words);
        numRead += 1;
      }
    };
    await Promise.all(Array.from({ length: FILES_AT_ONCE }, read));
    return indices.filter((index) => isFound[index]);
  }

  _file(number) {
    const file = this.files.get(number) ?? loadTexts(number);
    this.files.delete(number);
    this.files.set(number, file);
    if (this.files.size > MAX_FILES_KEPT) this.files.delete(this.files.keys().next().value);
    return file;
  }
}

async function loadTexts(number) {
  const bytes = await inflated(await loadBytes(`rows-${number}`));
  return new ClipTexts(JSON.parse(new TextDecoder().decode(bytes)));
}

async function loadKeys(field) {
  const { buffer } = await inflated(await loadBytes(field));
  return field in TABLES || field === "name" ? new Int32Array(buffer) : new Float32Array(buffer);
}

/** The places of texts among all of them, sorted, where numbers in a text count as numbers. */
function ranks(texts) {
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  const rankOf = new Map([...new Set(texts)].sort(compare).map((text, rank) => [text, rank]));
  return texts.map((text) => rankOf.get(text));
}

function percent(share) {
  return share === null ? "" : `${(100 * share).toFixed(1)}\u00a0%`;
}

/** 83.25 -> "1:23.25" */
function clock(seconds) {
  if (seconds === null) return "";
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
}
