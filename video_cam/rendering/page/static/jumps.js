"use strict";
// Jumps to the next frame of a kind: a keyframe, a peak of the chosen map.

/** The nearest of these ascending frames after (1) or before (-1) a frame, or undefined. */
function neighbour(frames, frame, direction) {
  return direction > 0 ? frames.find((one) => one > frame) : frames.findLast((one) => one < frame);
}

function gotoKeyframe(app, direction) {
  const next = neighbour(app.data.keyframes, app.state.frame_index, direction);
  return next === undefined ? undefined : app.goto(next);
}

/** Show the next (1) or previous (-1) peak of the chosen map in time, or say that there is none. */
function gotoPeak(app, direction) {
  const peaks = app.data.maps[app.chosen].peaks.toSorted((a, b) => a - b);
  const { frame_index } = app.state;
  const next = neighbour(peaks, frame_index, direction);
  const where = direction > 0 ? "after" : "before";
  const none = peaks.length ? `no peak of the map ${where} frame ${frame_index}` : "this map has no peaks";
  app.showMessage(next === undefined ? none : "");
  return next === undefined ? undefined : app.goto(next);
}

/** What a frame is among the peaks of a map, the strongest of which is 1; "" if it is none. */
function peakText({ peaks }, frame) {
  const rank = peaks.indexOf(frame);
  return rank < 0 ? "" : `peak of the map, strength ${rank + 1} of ${peaks.length}`;
}
