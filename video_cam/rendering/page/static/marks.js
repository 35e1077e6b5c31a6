"use strict";
// Marks: frames and spans with notes. Kept in the browser's storage, written as JSON and CSV.

const MARKS_FORMAT = "video_cam marks";
const MAX_NOTE_LETTERS = 4000;
const MAX_MARKS = 5000;
const CSV_COLUMNS = [
  ...["frame_index", "pts_seconds", "end_frame_index", "end_seconds", "note"],
  ...["target", "class_id", "layer", "method", "detail"],
];
const MARK_KEYS = ["frame_index", "end_frame_index", "note", "class_id", "layer", "method", "detail"];
// A spreadsheet would run what begins with one of these; results.csv is written in the same way.
const FORMULA = /^[=+\-@\t\r]/;
const UNSAFE = /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Marks of one clip and explanation; every change is written to the storage at once. */
class MarkStore {
  /** `onProblem(message)` is called once when the browser keeps no marks for this page. */
  constructor(data, timeline, onProblem) {
    this.data = data;
    this.timeline = timeline;
    this.onProblem = onProblem;
    this.key = `video_cam marks ${data.identity}`;
    this.marks = [];
    this.read();
  }

  /** Read what the storage holds, for instance after another tab has changed it. */
  read() {
    const text = this._try(() => localStorage.getItem(this.key));
    try {
      this.marks = text ? this._checked(JSON.parse(text)).marks : this.marks;
    } catch {
      // What is stored is not of this version: it stays until a mark is made.
    }
  }

  add(marks) {
    const total = this.marks.length + marks.length;
    if (total > MAX_MARKS) throw new Error(`a page holds up to ${MAX_MARKS} marks, and these would be ${total}`);
    this.marks = [...this.marks, ...marks].toSorted(
      (a, b) => a.frame_index - b.frame_index || a.end_frame_index - b.end_frame_index,
    );
    this._write();
  }

  /** Give a mark another note. Where another tab has deleted it, it is added: what was typed stays. */
  change(mark, note) {
    const isSame = (one) => MARK_KEYS.every((key) => one[key] === mark[key]);
    const own = this.marks.includes(mark) ? mark : this.marks.find(isSame);
    if (!own) return this.add([{ ...mark, note: note.slice(0, MAX_NOTE_LETTERS) }]);
    own.note = note.slice(0, MAX_NOTE_LETTERS);
    return this._write();
  }

  remove(mark) {
    this.marks = this.marks.filter((one) => one !== mark);
    this._write();
  }

  /** What the exports hold of a mark. A frame's mark ends with the frame itself. */
  row(mark) {
    return {
      frame_index: mark.frame_index,
      pts_seconds: this.timeline.seconds(mark.frame_index),
      end_frame_index: mark.end_frame_index,
      end_seconds: this.timeline.seconds(mark.end_frame_index + 1),
      note: mark.note,
      target: mark.target,
      class_id: mark.class_id,
      layer: mark.layer,
      method: mark.method,
      detail: mark.detail,
    };
  }

  json() {
    const { title, identity, model } = this.data;
    const marks = this.marks.map((mark) => this.row(mark));
    const whole = { format: MARKS_FORMAT, version: 1, clip: title, identity, model: model.name, marks };
    return `${JSON.stringify(whole, null, 2)}\n`;
  }

  csv() {
    const rows = this.marks.map((mark) => Object.values(this.row(mark)).map(csvCell));
    return [CSV_COLUMNS, ...rows].map((row) => `${row.join(",")}\n`).join("");
  }

  /** Add the marks of an exported JSON text that are not there yet; returns what was done. */
  merge(text) {
    let read;
    try {
      read = this._checked(JSON.parse(text));
    } catch (error) {
      throw new Error(`this file holds no marks: ${error.message}`);
    }
    const key = (mark) => JSON.stringify(this.row(mark));
    const there = new Set(this.marks.map(key));
    const added = read.marks.filter((mark) => !there.has(key(mark)) && there.add(key(mark)));
    this.add(added);
    const left = read.foreign ? `; ${read.foreign} left out, as this clip has no such frames` : "";
    const other = read.identity === this.data.identity ? "" : ", made on another clip or explanation";
    return `${count(added.length, "mark")} imported${other}${left}`;
  }

  /** The marks of a parsed JSON file, and how many are of frames that the clip does not have. */
  _checked(value) {
    if (value?.format !== MARKS_FORMAT || !Array.isArray(value.marks)) {
      throw new Error('expected what "Export JSON" writes');
    }
    const fits = value.marks.filter((mark) => this._fits(mark));
    const marks = fits.map((mark) => ({
      frame_index: mark.frame_index,
      end_frame_index: mark.end_frame_index,
      note: plain(mark.note).slice(0, MAX_NOTE_LETTERS),
      target: plain(mark.target),
      class_id: Number.isInteger(mark.class_id) ? mark.class_id : null,
      layer: plain(mark.layer),
      method: plain(mark.method),
      detail: plain(mark.detail),
    }));
    return { identity: value.identity, marks, foreign: value.marks.length - fits.length };
  }

  _fits(mark) {
    const isFrame = (frame) => Number.isInteger(frame) && this.timeline.clamp(frame) === frame;
    const [first, last] = [mark?.frame_index, mark?.end_frame_index];
    return isFrame(first) && isFrame(last) && first <= last;
  }

  _write() {
    this._try(() => localStorage.setItem(this.key, this.json()));
  }

  /** The result of an access to the storage, which browsers may refuse. */
  _try(access) {
    try {
      return access();
    } catch (error) {
      const reason = error.name === "QuotaExceededError" ? "its storage is full" : "it allows no storage here";
      this.onProblem(`This browser keeps no marks (${reason}): export them before you close the page.`);
      return undefined;
    }
  }
}

/** A text without control characters; "" for anything else. */
function plain(value) {
  return typeof value === "string" ? value.replace(/\r\n?/g, "\n").replace(UNSAFE, "\ufffd") : "";
}

/** A value as a cell that no spreadsheet computes. */
function csvCell(value) {
  if (typeof value !== "string") return value ?? "";
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** 1, "mark" -> "1 mark" */
function count(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** Let the browser save bytes or a text under a name. */
function saveFile(name, parts, type) {
  const link = element("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const MARK_TOP = 16; // CSS pixels below the top of the timeline
const MARK_HEIGHT = 6;

/** Draw marks into the timeline. */
function drawMarks(marks, context, scale, colour) {
  context.save();
  context.fillStyle = colour("--mark");
  for (const { frame_index, end_frame_index } of marks) {
    const [left, right] = [scale.at(frame_index), scale.at(end_frame_index + 1)];
    context.globalAlpha = 0.55;
    context.fillRect(left, MARK_TOP, Math.max(right - left, 3), MARK_HEIGHT);
    context.globalAlpha = 1;
    context.fillRect(left, MARK_TOP, 2, 2 * MARK_HEIGHT);
  }
  context.restore();
}
