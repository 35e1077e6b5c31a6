"use strict";
// The frames at which the chosen map is strongest.

/** Show the next (1) or previous (-1) peak of the chosen map in time. */
function gotoPeak(app, direction) {
  const { frame_index } = app.state;
  const peaks = app.data.maps[app.chosen].peaks.toSorted((a, b) => a - b);
  const next =
    direction > 0
      ? peaks.find((frame) => frame > frame_index)
      : peaks.findLast((frame) => frame < frame_index);
  if (next === undefined) {
    const where = direction > 0 ? "after" : "before";
    return app.showMessage(peaks.length ? `no peak of the map ${where} this frame` : "this map has no peaks");
  }
  app.showMessage("");
  return app.goto(next);
}

/** "peak 2 of 5": the rank of a frame among the peaks of a map; "" if it is none. */
function peakText({ peaks }, frame) {
  const rank = peaks.indexOf(frame);
  return rank < 0 ? "" : `peak of the map, strength ${rank + 1} of ${peaks.length}`;
}
