"use strict";
// Lines where the heat has chosen levels: marching squares on samples of the map. contours.py draws
// the same lines.

const SAMPLE_PIXELS = 4; // canvas pixels between two samples
const SAMPLES_PER_CELL = 4; // at least
const SIDE_OF_ONE_PIXEL = 220; // canvas pixels of the shorter side for one pixel of a line's width

class ContourLines {
  /** `scale`: canvas pixels for one source pixel. */
  constructor(map, scale) {
    const [left, top, right, bottom] = map.box;
    const count = (length, cells) =>
      Math.max(2, Math.ceil((length * scale) / SAMPLE_PIXELS), SAMPLES_PER_CELL * cells);
    this.map = map;
    this.across = count(right - left, map.x.length);
    this.down = count(bottom - top, map.y.length);
    this.columns = interpolation(map.x, left, right, this.across, map.nearest);
    this.rows = interpolation(map.y, top, bottom, this.down, map.nearest);
    this.samples = new Float32Array(this.across * this.down);
  }

  /** Draw the lines at `levels`, shares of the map value `peak`, in a box of a canvas. */
  draw(context, values, peak, levels, box) {
    if (!(peak > 0)) return;
    const samples = sampled(this.map, this.rows, this.columns, values, this.samples);
    const path = new Path2D();
    for (const level of levels) this._trace(path, samples, level * peak, box);
    const side = Math.min(context.canvas.width, context.canvas.height);
    const width = Math.max(1, Math.round(side / SIDE_OF_ONE_PIXEL));
    const edge = Math.max(1, Math.round(0.6 * width));
    context.save();
    context.lineCap = "round";
    for (const [colour, thickness] of [["#000", width + 2 * edge], ["#fff", width]]) {
      context.strokeStyle = colour;
      context.lineWidth = thickness;
      context.stroke(path);
    }
    context.restore();
  }

  /** Add the line segments between the samples above and below a map value. */
  _trace(path, samples, value, [left, top, width, height]) {
    const { across, down } = this;
    const point = (x, y) => [left + ((x + 0.5) * width) / across, top + ((y + 0.5) * height) / down];
    const cut = (from, to) => (value - from) / (to - from);
    for (let y = 0; y + 1 < down; y++) {
      for (let x = 0; x + 1 < across; x++) {
        const at = y * across + x;
        const [a, b, c, d] = [samples[at], samples[at + 1], samples[at + across + 1], samples[at + across]];
        const kind = (a > value) | ((b > value) << 1) | ((c > value) << 2) | ((d > value) << 3);
        if (kind === 0 || kind === 15) continue;
        const sides = []; // where the line crosses: above, right, below, left
        if (a > value !== b > value) sides.push([x + cut(a, b), y]);
        if (b > value !== c > value) sides.push([x + 1, y + cut(b, c)]);
        if (d > value !== c > value) sides.push([x + cut(d, c), y + 1]);
        if (a > value !== d > value) sides.push([x, y + cut(a, d)]);
        // Of a saddle, the corners that are like the middle are not cut off.
        const isHigh = (a + b + c + d) / 4 > value;
        if (sides.length === 4 && isHigh !== a > value) sides.push(sides.shift());
        for (let i = 0; i + 1 < sides.length; i += 2) {
          path.moveTo(...point(...sides[i]));
          path.lineTo(...point(...sides[i + 1]));
        }
      }
    }
  }
}
