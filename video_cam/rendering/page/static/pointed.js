"use strict";
// What is under the pointer: the pixel of the source and the map's value there, or a moment.

class Pointed {
  /** frameOf(index): a map at the shown frame. */
  constructor(stage, timeline, frameOf) {
    this.stage = stage;
    this.timeline = timeline;
    this.frameOf = frameOf;
    this.text = document.getElementById("pointed");
    this.idle = this.text.textContent;
    this.pointer = undefined;
    stage.holder.addEventListener("pointermove", (event) => this._point(event));
    stage.holder.addEventListener("pointerdown", (event) => this._point(event));
    stage.holder.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType !== "touch") this._point(undefined); // a finger leaves when it is lifted
    });
  }

  /** Show a moment of the timeline; undefined shows none. */
  showMoment(frame) {
    this.text.textContent =
      frame === undefined ? this.idle : `timeline: frame ${frame} · ${clock(this.timeline.seconds(frame))}`;
  }

  /** The picture has changed: show what is under the pointer now. */
  show(frame, normalize) {
    this.shown = { frame, normalize };
    if (this.pointer) this._write();
  }

  _point(event) {
    if (!event && !this.pointer) return;
    this.pointer = event;
    this._write();
  }

  _write() {
    const point = this.pointer && this.stage.pointOf(this.pointer);
    if (!point || !this.shown) return void (this.text.textContent = this.idle);
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    const { map, index } = point.panel;
    const moment = `frame ${this.shown.frame} · ${clock(this.timeline.seconds(this.shown.frame))}`;
    const value = this._valueAt(map, this.frameOf(index), x, y);
    this.text.textContent = `pixel ${x}, ${y} · ${value} · ${moment}`;
  }

  _valueAt(map, frame, x, y) {
    if (frame === undefined) return "the map is loading";
    const [left, top, right, bottom] = map.box;
    const isInside = left <= x && x < right && top <= y && y < bottom;
    if (!frame.seen || !isInside) return "not seen by the network";
    const value = valueAt(map, frame.values, x, y);
    const full = fullHeat(map, frame, this.shown.normalize);
    const heat = full > 0 ? Math.min(Math.max(value / full, 0), 1) : 0;
    return `map value ${signedNumber(value)} · ${percent(heat)} of full heat`;
  }
}

/** The signed map value at a pixel of the source. */
function valueAt(map, values, x, y) {
  const column = interpolation(map.x, x, x + 1, 1, map.nearest);
  const row = interpolation(map.y, y, y + 1, 1, map.nearest);
  return sampled(map, row, column, values, new Float32Array(1))[0];
}

/** 0.01234 -> "+0.0123" */
function signedNumber(value) {
  return value === 0 ? "0" : `${value < 0 ? "−" : "+"}${Math.abs(value).toPrecision(3)}`;
}
