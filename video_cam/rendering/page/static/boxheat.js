"use strict";
// How much heat of a map lies in a box of the picture, at one frame and over time.

const BOX_SAMPLES = 256; // of a side of the box at one frame, at most: not more than its pixels
const CURVE_SAMPLES = 32; // of a side of the box, for a curve of all frames

/** The mean heat of a map in a box. */
class BoxHeat {
  /** box: [left, top, right, bottom] in source pixels; only what the network saw of it counts. */
  constructor(map, box, samples = BOX_SAMPLES) {
    const [left, top] = [0, 1].map((side) => Math.max(box[side], map.box[side]));
    const [right, bottom] = [2, 3].map((side) => Math.min(box[side], map.box[side]));
    this.map = map;
    this.pixels = Math.max(0, right - left) * Math.max(0, bottom - top); // that the network saw
    if (!this.pixels) return;
    const count = (length) => Math.max(1, Math.min(samples, Math.round(length)));
    this.columns = interpolation(map.x, left, right, count(right - left), map.nearest);
    this.rows = interpolation(map.y, top, bottom, count(bottom - top), map.nearest);
    this.samples = new Float32Array(this.columns.before.length * this.rows.before.length);
  }

  /** The mean of the positive values, in map units. */
  mean(values) {
    if (!this.pixels) return 0;
    const samples = sampled(this.map, this.rows, this.columns, values, this.samples);
    let sum = 0;
    for (const value of samples) if (value > 0) sum += value;
    return sum / samples.length;
  }
}

/** The share of a frame's heat that lies in a box, 0 to 1; undefined where there is no heat. */
function shareOfHeat(map, box, values) {
  const [inside, whole] = [box, map.box].map((one) => new BoxHeat(map, one));
  const all = whole.mean(values) * whole.pixels;
  return all > 0 ? Math.min((inside.mean(values) * inside.pixels) / all, 1) : undefined;
}

/** The mean heat in a box at every frame, computed chunk by chunk as maps are loaded. */
class BoxCurve {
  /** store: the MapStore; onProgress() is called when more frames are known. */
  constructor(store, timeline, onProgress) {
    this.store = store;
    this.timeline = timeline;
    this.onProgress = onProgress;
    this.key = "";
    this.values = undefined; // of each frame, NaN where it is not known or not seen
  }

  /** Compute the curve of a map's number and a box, unless it is the one that is there. */
  update(index, box) {
    const key = box ? [index, ...box].join() : "";
    if (key === this.key) return;
    this.key = key;
    this.values = box ? new Float32Array(this.timeline.length).fill(NaN) : undefined;
    if (box) this._compute(key, index, box).catch(() => {}); // the missing map is told where it is drawn
  }

  async _compute(key, index, box) {
    const map = this.store.maps[index];
    const heat = new BoxHeat(map, box, CURVE_SAMPLES);
    for (let first = map.first; first < map.stop; first += map.chunk_frames) {
      await this.store.load([index], first);
      if (key !== this.key) return;
      const stop = Math.min(first + map.chunk_frames, map.stop);
      for (let frame = first; frame < stop; frame++) {
        const { seen, values } = this.store.peek(index, frame);
        if (seen) this.values[frame - this.timeline.first] = heat.mean(values);
      }
      this.onProgress();
    }
  }
}

/** Draw a curve of the mean heat at every frame on the timeline, its largest value at the top. */
function drawBoxCurve(values, context, scale, colour) {
  if (!values) return;
  const known = (value) => (Number.isNaN(value) ? 0 : value);
  const largest = values.reduce((a, b) => Math.max(a, known(b)), 0) || 1;
  context.save();
  context.strokeStyle = colour("--box");
  context.lineWidth = 2;
  context.beginPath();
  let isPenDown = false;
  for (const { middle, value } of curvePoints(values, scale, meanOf)) {
    const y = BAR_HEIGHT - CURVE_EDGE - (value / largest) * (BAR_HEIGHT - 2 * CURVE_EDGE);
    if (isPenDown) context.lineTo(middle, y);
    else context.moveTo(middle, y);
    isPenDown = !Number.isNaN(value);
  }
  context.stroke();
  context.restore();
}
