"use strict";
// The range of the timeline: a bar of the whole clip below it, buttons, the wheel.

const OVERVIEW_HEIGHT = 22; // CSS pixels
const RANGE_FACTOR = 2; // of a key or a button
const WHEEL_SPEED = 0.002; // of the logarithm of the range, for each pixel the wheel turns

class RangeControl {
  /** onRange(range) is called when the user changes the range; null is the whole clip. */
  constructor(scrub, timeline, onRange) {
    this.scrub = scrub;
    this.timeline = timeline;
    this.onRange = onRange;
    this.bar = document.getElementById("overview");
    this.canvas = this.bar.querySelector("canvas");
    this.bar.addEventListener("pointerdown", (event) => this._grab(event));
    scrub.bar.addEventListener("wheel", (event) => this._turn(event), { passive: false });
    document.getElementById("range-in").onclick = () => this.zoom(1 / RANGE_FACTOR);
    document.getElementById("range-out").onclick = () => this.zoom(RANGE_FACTOR);
    document.getElementById("range-all").onclick = () => onRange(null);
  }

  /** Show `factor` times as many frames; the anchor keeps its place. */
  zoom(factor, anchor = this._anchor) {
    const { range } = this.scrub.shown;
    const next = zoomedRange(this.timeline, range, factor, anchor);
    if (String(next) !== String(range)) this.onRange(next);
  }

  /** The wheel zooms at the pointer; with shift or sideways it moves the range. */
  _turn(event) {
    const { range } = this.scrub.shown;
    const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      if (!range) return;
      event.preventDefault();
      const frames = (sideways * (range[1] - range[0] + 1)) / this.scrub.scale.width;
      this.onRange(movedRange(this.timeline, range, Math.sign(frames) * Math.max(1, Math.abs(frames))));
    } else if (range || event.deltaY < 0) {
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * WHEEL_SPEED), this.scrub.frameAt(event));
    }
  }

  /** Draw the whole clip and the range; hidden where they are the same. */
  draw() {
    const { range, mass, frame } = this.scrub.shown;
    this.bar.hidden = !range;
    document.getElementById("range-all").disabled = !range;
    document.getElementById("range-out").disabled = !range;
    document.getElementById("range-in").disabled = this._count(range) <= MIN_RANGE_FRAMES;
    if (!range) return;
    const scale = this._scale;
    const context = sharpContext(this.canvas, scale.width, OVERVIEW_HEIGHT);
    const style = getComputedStyle(this.bar);
    const colour = (name) => style.getPropertyValue(name);
    const largest = mass.values.reduce((a, b) => Math.max(a, b), 0) || 1;
    context.fillStyle = colour("--faint");
    for (const { begin, end, value } of curvePoints(mass.values, scale, largestOf)) {
      const height = (value / largest) * (OVERVIEW_HEIGHT - 2);
      context.fillRect(begin, OVERVIEW_HEIGHT - height, Math.max(end - begin, 0.5), height);
    }
    const [left, right] = [scale.at(range[0]), scale.at(range[1] + 1)];
    context.fillStyle = context.strokeStyle = colour("--accent");
    context.fillRect(scale.at(frame + 0.5) - 0.5, 0, 1, OVERVIEW_HEIGHT);
    context.lineWidth = 2;
    context.strokeRect(left + 1, 1, Math.max(right - left - 2, 3), OVERVIEW_HEIGHT - 2);
    context.globalAlpha = 0.2;
    context.fillRect(left, 0, Math.max(right - left, 3), OVERVIEW_HEIGHT);
  }

  /** The shown frame, or the middle of the range where that is elsewhere. */
  get _anchor() {
    const { range, frame } = this.scrub.shown;
    const isInside = !range || (range[0] <= frame && frame <= range[1]);
    return isInside ? frame : Math.floor((range[0] + range[1]) / 2);
  }

  get _scale() {
    return new TimeScale(this.timeline, null, this.bar.clientWidth);
  }

  _count(range) {
    return range ? range[1] - range[0] + 1 : this.timeline.length;
  }

  /** Drag the range; a click beside it brings its middle there. */
  _grab(event) {
    if (event.button !== 0) return;
    this.bar.setPointerCapture(event.pointerId);
    const { left } = this.bar.getBoundingClientRect();
    const at = ({ clientX }) => this._scale.frameAt(clientX - left - this.bar.clientLeft);
    const [first, last] = this.scrub.shown.range;
    const start = at(event);
    const isInside = first <= start && start <= last;
    const middle = Math.floor((first + last) / 2);
    const move = (moved) =>
      this.onRange(movedRange(this.timeline, [first, last], at(moved) - (isInside ? start : middle)));
    const drop = () => {
      this.bar.removeEventListener("pointermove", move);
      this.bar.removeEventListener("lostpointercapture", drop);
    };
    this.bar.addEventListener("pointermove", move);
    this.bar.addEventListener("lostpointercapture", drop);
    if (!isInside) move(event);
  }
}
