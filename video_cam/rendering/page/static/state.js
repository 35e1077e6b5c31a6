"use strict";
// The state of the view: what it is at first, what it may be.

const CHOICES = ["class_id", "method", "layer", "colormap", "normalize", "view"];
const SHARES = ["opacity", "threshold"];
const SWITCHED = ["dim", "outline"];

class Rules {
  constructor(data, timeline) {
    this.data = data;
    this.timeline = timeline;
    this.choices = choicesOf(data);
    this.usual = this._usual();
  }

  _usual() {
    const [first] = this.data.maps;
    const { colormap, opacity, normalize, view } = this.data.look;
    return {
      frame_index: this.timeline.first,
      class_id: first.class_id,
      method: first.method,
      layer: first.layer,
      opacity,
      colormap,
      threshold: 0,
      normalize,
      view,
      dim: true,
      outline: false,
      loop: null,
    };
  }

  /** Why a value is not possible, or nothing. */
  problem(key, value) {
    const expected = {
      frame_index: `a frame from ${this.timeline.first} to ${this.timeline.last}`,
      loop: "two frames of the clip, the first not after the last, or null",
    };
    if (CHOICES.includes(key)) expected[key] = [...this.choices[key].keys()].join(", ");
    if (SHARES.includes(key)) expected[key] = "a number from 0 to 1";
    if (SWITCHED.includes(key)) expected[key] = "true or false";
    if (!(key in expected)) return `${key} cannot be set; there are ${Object.keys(this.usual).join(", ")}`;
    return this._fits(key, value) ? undefined : `${key} ${value}: expected ${expected[key]}`;
  }

  _fits(key, value) {
    const isFrame = (frame) => Number.isInteger(frame) && this.timeline.clamp(frame) === frame;
    if (key === "frame_index") return isFrame(value);
    if (key === "loop") return value === null || this._isSpan(value, isFrame);
    if (CHOICES.includes(key)) return this.choices[key].has(value);
    if (SHARES.includes(key)) return typeof value === "number" && value >= 0 && value <= 1;
    return typeof value === "boolean";
  }

  _isSpan(value, isFrame) {
    return (
      Array.isArray(value) && value.length === 2 && value.every(isFrame) && value[0] <= value[1]
    );
  }

  /** Of what a link asks for, that which can be. */
  possible(changes) {
    return Object.fromEntries(
      Object.entries(changes).filter((change) => !this.problem(...change)),
    );
  }

  /** A state with changes, on a map that is there: what was not asked for gives way. */
  settled(state, changes) {
    const next = { ...state, ...changes };
    const misfit = (map) =>
      ["class_id", "layer", "method"].reduce(
        (sum, key) => sum + (map[key] === next[key] ? 0 : key in changes ? 10 : 1),
        0,
      );
    const map = this.data.maps.reduce((best, m) => (misfit(m) < misfit(best) ? m : best));
    return { ...next, class_id: map.class_id, layer: map.layer, method: map.method };
  }
}
