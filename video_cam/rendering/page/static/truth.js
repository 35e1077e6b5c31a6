"use strict";
// When the event is, as the ground truth says: drawn into the timeline.

const TRUTH_TOP = BAR_HEIGHT - 12; // of the bar of an event, in CSS pixels
const TRUTH_HEIGHT = 5;

/** truth: {spans: [begin, end] and times, in seconds}. */
function drawTruth({ spans, times }, context, scale, colour) {
  context.fillStyle = colour("--truth");
  for (const [begin, end] of spans) {
    const left = scale.x(begin);
    context.fillRect(left, TRUTH_TOP, Math.max(scale.x(end) - left, 2), TRUTH_HEIGHT);
  }
  for (const time of times) context.fillRect(scale.x(time) - 1, TRUTH_TOP - 6, 3, TRUTH_HEIGHT + 6);
}
