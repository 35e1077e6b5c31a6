"use strict";
// The state of the view: its initial and its possible values.

const CHOICES = ["class_id", "method", "layer", "detail", "colormap", "normalize", "view"];
const MAP_KEYS = ["class_id", "layer", "method", "detail"]; // one map has these values
const FRACTIONS = ["opacity", "threshold"];
const SPANS = ["loop", "range"];
const BOOLEANS = ["dim", "outline", "contours"];

class Rules {
  constructor(data, timeline) {
    this.data = data;
    this.timeline = timeline;
    this.choices = choicesOf(data);
    this.initial = this._initial();
  }

  _initial() {
    const [first] = this.data.maps;
    const { frame_index, colormap, opacity, normalize, view, contours } = this.data.initial_view;
    return {
      frame_index,
      class_id: first.class_id,
      method: first.method,
      layer: first.layer,
      detail: first.detail,
      opacity,
      colormap,
      threshold: 0,
      normalize,
      view,
      dim: true,
      outline: false,
      contours,
      loop: null,
      range: null,
      zoom: null,
      box: null,
    };
  }

  /** Why a value is not possible; undefined if it is. */
  problem(key, value) {
    const expected = {
      frame_index: `a frame from ${this.timeline.first} to ${this.timeline.last}`,
      zoom: `a factor from 1 to ${MAX_ZOOM} and a point of the picture, [factor, x, y], or null`,
      box: "[left, top, right, bottom] in whole pixels of the picture, or null",
    };
    if (SPANS.includes(key)) expected[key] = "two frames of the clip, the first not after the last, or null";
    if (CHOICES.includes(key)) expected[key] = [...this.choices[key].keys()].join(", ");
    if (FRACTIONS.includes(key)) expected[key] = "a number from 0 to 1";
    if (BOOLEANS.includes(key)) expected[key] = "true or false";
    if (!(key in expected)) return `${key} cannot be set; choose one of ${Object.keys(this.initial).join(", ")}`;
    return this._fits(key, value) ? undefined : `${key} ${value}: expected ${expected[key]}`;
  }

  _fits(key, value) {
    const isFrame = (frame) => Number.isInteger(frame) && this.timeline.clamp(frame) === frame;
    if (key === "frame_index") return isFrame(value);
    if (SPANS.includes(key)) return value === null || this._isSpan(value, isFrame);
    if (key === "zoom") return value === null || this._isZoom(value);
    if (key === "box") return value === null || this._isBox(value);
    if (CHOICES.includes(key)) return this.choices[key].has(value);
    if (FRACTIONS.includes(key)) return typeof value === "number" && value >= 0 && value <= 1;
    return typeof value === "boolean";
  }

  _isSpan(value, isFrame) {
    return (
      Array.isArray(value) && value.length === 2 && value.every(isFrame) && value[0] <= value[1]
    );
  }

  _isZoom(value) {
    const { width, height } = this.data.clip;
    const limits = [[1, MAX_ZOOM], [0, width], [0, height]];
    return isListOf(3, value) && value.every((one, i) => one >= limits[i][0] && one <= limits[i][1]);
  }

  _isBox(value) {
    if (!isListOf(4, value) || !value.every(Number.isInteger)) return false;
    const [left, top, right, bottom] = value;
    const { width, height } = this.data.clip;
    return left >= 0 && top >= 0 && left < right && top < bottom && right <= width && bottom <= height;
  }

  /** Those of the changes that are possible. */
  possible(changes) {
    return Object.fromEntries(
      Object.entries(changes).filter((change) => !this.problem(...change)),
    );
  }

  /**
   * The state with changes, on an existing map: of class, layer, method and detail the ones that
   * were not changed are adapted. A range of the timeline that was not changed follows the frame.
   */
  settled(state, changes) {
    const next = { ...state, ...changes };
    if (next.zoom) next.zoom = settledZoom(next.zoom, this.data.clip);
    if ("frame_index" in changes && !("range" in changes))
      next.range = followedRange(this.timeline, next.range, next.frame_index);
    const misfit = (map) =>
      MAP_KEYS.reduce(
        (sum, key) => sum + (map[key] === next[key] ? 0 : key in changes ? 10 : 1),
        0,
      );
    const map = this.data.maps.reduce((best, m) => (misfit(m) < misfit(best) ? m : best));
    return { ...next, ...Object.fromEntries(MAP_KEYS.map((key) => [key, map[key]])) };
  }
}

function isListOf(count, value) {
  return Array.isArray(value) && value.length === count && value.every(Number.isFinite);
}
