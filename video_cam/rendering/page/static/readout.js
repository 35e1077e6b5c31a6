"use strict";
// The texts beside the picture: position, windows, class scores at this moment.

class Readout {
  constructor(data, timeline, curves) {
    this.data = data;
    this.timeline = timeline;
    this.curves = curves; // class_id -> scores over time
    this.place = document.getElementById("place");
    this.moment = document.getElementById("moment");
    this.spoken = document.getElementById("spoken");
    let frame = 0;
    this.keyframes = new Set(Array.from(unpack(data.network_frames), (step) => (frame += step)));
    this.bars = new Map();
    const body = document.getElementById("scores");
    for (const row of data.classes.toSorted((a, b) => b.score - a.score)) body.append(this._row(row));
  }

  _row({ class_id, label, score, is_probability, colour }) {
    const swatch = element("span", { className: "swatch", "aria-hidden": "true" });
    swatch.style.background = colour;
    const bar = element("meter", { min: 0, max: 1, "aria-label": `${label}, at this moment` });
    bar.hidden = !is_probability; // other scores have no largest value
    const now = element("td", { className: "number" });
    const row = element(
      "tr",
      {},
      element("th", { scope: "row" }, swatch, label),
      element("td", { className: "number" }, scoreText(score, is_probability)),
      element("td", {}, bar),
      now,
    );
    this.bars.set(class_id, { bar, now, row, is_probability });
    return row;
  }

  /**
   * frame: the source frame that is shown; shown: the chosen map at it, if it is loaded; map: what the
   * page knows of the chosen map; inBox: the sentence on the user's box.
   */
  show(frame, state, shown, isPlaying, map, inBox) {
    const seconds = this.timeline.seconds(frame);
    const place = `frame ${frame} of ${this.timeline.last} · ${clock(seconds)}`;
    this.place.textContent = place;
    this.moment.textContent = this._moment(frame, shown, map);
    if (!isPlaying) this.spoken.textContent = `${place}. ${this.moment.textContent}. ${inBox}`;
    const at = (frame - this.timeline.first + 0.5) / this.timeline.length;
    for (const [class_id, { bar, now, row, is_probability }] of this.bars) {
      const curve = this.curves.get(class_id);
      const near = curve[Math.min(Math.floor(at * curve.length), curve.length - 1)];
      const exact = class_id === state.class_id ? shown?.score : undefined;
      bar.value = exact ?? near;
      // A curve of other scores is cut off at 0, so it gives no number.
      now.textContent = is_probability || exact !== undefined ? scoreText(exact ?? near, is_probability) : "";
      row.toggleAttribute("data-chosen", class_id === state.class_id);
    }
  }

  _moment(frame, shown, map) {
    if (shown === undefined) return "the map is loading";
    if (!shown.seen) return map.unseen;
    const covering = [];
    this.data.windows.forEach(([first, last], i) => {
      if (first <= frame && frame <= last) covering.push(i + 1);
    });
    const which = covering.length > 1 ? `windows ${covering.join(", ")}` : `window ${covering[0]}`;
    const windows = covering.length ? `${which} of ${this.data.windows.length}` : "between windows";
    const parts = [peakText(map, frame), this.keyframes.has(frame) ? "a keyframe" : ""];
    return [...parts, windows, `map mass ${number(mass(shown))}`].filter(Boolean).join(" · ");
  }
}

/** What a map explains at a frame: where windows differ, the class of the nearest window. */
function labelAt({ label, window_labels }, windows, frame) {
  if (!window_labels.length) return label;
  const distances = windows.map(([first, last]) => Math.abs((first + last) / 2 - frame));
  return window_labels[distances.indexOf(Math.min(...distances))];
}

/** A probability in per cent, any other score as a number. */
function scoreText(score, isProbability) {
  return isProbability ? `${(100 * score).toFixed(1)}\u00a0%` : number(score);
}

function number(value) {
  return value === 0 ? "0" : value.toPrecision(3);
}
