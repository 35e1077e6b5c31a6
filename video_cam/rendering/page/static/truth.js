"use strict";
// When and where the event is, as the ground truth says: drawn into the timeline and the pictures.

const TRUTH_TOP = BAR_HEIGHT - 12; // of the bar of an event, in CSS pixels
const TRUTH_HEIGHT = 5;
const TRUTH_COLOUR = "#3fb950"; // of its boxes and outlines, on pictures

/** truth: {spans: [begin, end] and times, in seconds}. */
function drawTruth({ spans, times }, context, scale, colour) {
  context.fillStyle = colour("--truth");
  for (const [begin, end] of spans) {
    const left = scale.x(begin);
    context.fillRect(left, TRUTH_TOP, Math.max(scale.x(end) - left, 2), TRUTH_HEIGHT);
  }
  for (const time of times) context.fillRect(scale.x(time) - 1, TRUTH_TOP - 6, 3, TRUTH_HEIGHT + 6);
}

/** The corners of boxes and outlines of each frame, in source pixels. They hold until the next usually come. */
class TruthPlaces {
  constructor({ boxes, outlines, hold_frames }) {
    this.hold = hold_frames;
    this.ofFrame = new Map();
    for (const [frame, ...box] of boxes) this._add(frame, { box });
    for (const [frame, corners] of outlines) this._add(frame, { corners });
  }

  _add(frame, place) {
    this.ofFrame.set(frame, [...(this.ofFrame.get(frame) ?? []), place]);
  }

  /** {box} or {corners} each. */
  at(frame) {
    for (let annotated = frame; annotated > frame - this.hold; annotated--) {
      if (this.ofFrame.has(annotated)) return this.ofFrame.get(annotated);
    }
    return [];
  }
}
