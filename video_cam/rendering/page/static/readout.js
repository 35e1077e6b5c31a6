"use strict";
// What is said in words: where we are, and what the network made of this moment.

class Readout {
  constructor(data, timeline, curves) {
    this.data = data;
    this.timeline = timeline;
    this.curves = curves; // class_id -> scores over the clip
    this.place = document.getElementById("place");
    this.moment = document.getElementById("moment");
    this.spoken = document.getElementById("spoken");
    this.keyframes = new Set(data.keyframes);
    this.bars = new Map();
    const body = document.getElementById("scores");
    for (const row of data.classes.toSorted((a, b) => b.score - a.score)) body.append(this._row(row));
  }

  _row({ class_id, label, score, is_share }) {
    const bar = element("meter", { min: 0, max: 1, "aria-label": `${label}, at this moment` });
    bar.hidden = !is_share; // any other number has no full length
    const now = element("td", { className: "number" });
    const row = element(
      "tr",
      {},
      element("th", { scope: "row" }, label),
      element("td", { className: "number" }, scoreText(score, is_share)),
      element("td", {}, bar),
      now,
    );
    this.bars.set(class_id, { bar, now, row, is_share });
    return row;
  }

  /** frame: the source frame that is shown; map: what the chosen map says of it. */
  show(frame, state, map, isPlaying) {
    const seconds = this.timeline.seconds(frame);
    const place = `frame ${frame} of ${this.timeline.last} · ${clock(seconds)}`;
    this.place.textContent = place;
    this.moment.textContent = this._moment(frame, map);
    if (!isPlaying) this.spoken.textContent = `${place}. ${this.moment.textContent}`;
    const at = (frame - this.timeline.first + 0.5) / this.timeline.length;
    for (const [class_id, { bar, now, row, is_share }] of this.bars) {
      const curve = this.curves.get(class_id);
      const near = curve[Math.min(Math.floor(at * curve.length), curve.length - 1)];
      const exact = class_id === state.class_id ? map?.probability : undefined;
      bar.value = exact ?? near;
      // The curve of what is no share is for the eye: it has no values below zero.
      now.textContent = is_share || exact !== undefined ? scoreText(exact ?? near, is_share) : "";
      row.toggleAttribute("data-chosen", class_id === state.class_id);
    }
  }

  _moment(frame, map) {
    if (map === undefined) return "the map is being loaded";
    if (!map.seen) return "the network did not see this moment";
    const around = [];
    this.data.windows.forEach(([first, last], i) => {
      if (first <= frame && frame <= last) around.push(i + 1);
    });
    const which = around.length > 1 ? `windows ${around.join(", ")}` : `window ${around[0]}`;
    const windows = around.length ? `${which} of ${this.data.windows.length}` : "between windows";
    const key = this.keyframes.has(frame) ? "a keyframe · " : "";
    return `${key}${windows} · map mass ${number(mass(map))}`;
  }
}

/** What a map explains at a frame: where windows differ, the class of the nearest one. */
function labelAt({ label, window_labels }, windows, frame) {
  if (!window_labels.length) return label;
  const distances = windows.map(([first, last]) => Math.abs((first + last) / 2 - frame));
  return window_labels[distances.indexOf(Math.min(...distances))];
}

/** A probability in per cent, any other score as a number. */
function scoreText(score, isShare) {
  return isShare ? `${(100 * score).toFixed(1)} %` : number(score);
}

function number(value) {
  return value === 0 ? "0" : value.toPrecision(3);
}
