"use strict";
// The maps, loaded chunk by chunk when they are needed.

const MAX_CHUNKS = 48;
const UNSEEN = { seen: false };
const HEAD = 3; // numbers of each frame: scale, window peak, score

class MapStore {
  constructor(maps) {
    this.maps = maps;
    this.chunks = new Map(); // "map-chunk" -> {promise, frames}, least recently used first
  }

  /** A map at a frame, {seen, values, windowPeak, score}; undefined until it is loaded. */
  peek(map, frame) {
    const { first, stop, chunk_frames: size } = this.maps[map];
    if (frame < first || frame >= stop) return UNSEEN;
    const position = frame - first;
    return this._entry(map, Math.floor(position / size)).frames?.[position % size];
  }

  /** Resolves when these maps can be drawn at this frame; the chunks beside it are loaded, too. */
  load(maps, frame) {
    return Promise.all(
      maps.map((map) => {
        const { first, stop, chunk_frames: size } = this.maps[map];
        if (frame < first || frame >= stop) return undefined;
        const chunk = Math.floor((frame - first) / size);
        const last = Math.floor((stop - 1 - first) / size);
        for (const beside of [chunk - 1, chunk + 1]) {
          if (beside >= 0 && beside <= last) this._entry(map, beside).promise.catch(() => {});
        }
        return this._entry(map, chunk).promise;
      }),
    );
  }

  _entry(map, chunk) {
    const name = `${map}-${chunk}`;
    let entry = this.chunks.get(name);
    if (entry) {
      this.chunks.delete(name);
    } else {
      entry = { frames: undefined };
      entry.promise = loadBytes(`maps/${name}`)
        .then(inflated)
        .then((bytes) => {
          entry.frames = this._parse(map, bytes);
        });
      const [oldest] = this.chunks.keys();
      if (this.chunks.size >= MAX_CHUNKS) this.chunks.delete(oldest);
    }
    this.chunks.set(name, entry);
    return entry;
  }

  _parse(map, bytes) {
    const cells = this.maps[map].x.length * this.maps[map].y.length;
    const width = this.maps[map].cell_bytes;
    const Levels = width === 1 ? Int8Array : Int16Array;
    const count = bytes.length / (4 * HEAD + width * cells);
    const heads = new Float32Array(bytes.buffer, 0, count * HEAD);
    const levels = new Levels(bytes.buffer, 4 * HEAD * count, count * cells);
    for (let i = cells; i < levels.length; i++) levels[i] += levels[i - cells]; // overflows, too
    return Array.from({ length: count }, (_, i) => {
      const [scale, windowPeak, score] = heads.subarray(i * HEAD, (i + 1) * HEAD);
      if (scale < 0) return UNSEEN;
      const values = Float32Array.from(
        levels.subarray(i * cells, (i + 1) * cells),
        (level) => level * scale,
      );
      return { seen: true, values, windowPeak, score };
    });
  }
}
