"use strict";
// The scrub bar: class scores and map mass over time, keyframes, the looped span, the position.

const BAR_HEIGHT = 88; // CSS pixels

class ScrubBar {
  constructor(bar, timeline, onFrame, onSpan) {
    this.bar = bar;
    this.canvas = bar.querySelector("canvas");
    this.timeline = timeline;
    this.onFrame = onFrame;
    this.onSpan = onSpan;
    this.shown = {};
    bar.setAttribute("aria-valuemin", timeline.first);
    bar.setAttribute("aria-valuemax", timeline.last);
    bar.addEventListener("pointerdown", (event) => this._grab(event));
    new ResizeObserver(() => this.draw(this.shown)).observe(bar);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
      this.draw(this.shown),
    );
  }

  /**
   * shown: {frame, loop, mass, score, others, keyframes, added, marks}; curves: {values, colour} over time;
   * added: {frame, share, isEnough} of the frames that the frame test tested.
   */
  draw(shown) {
    this.shown = shown;
    if (!shown.mass) return;
    const { clientWidth: width } = this.bar;
    const dense = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(width * dense));
    this.canvas.height = Math.round(BAR_HEIGHT * dense);
    const context = this.canvas.getContext("2d");
    context.scale(dense, dense);
    const style = getComputedStyle(this.bar);
    const colour = (name) => style.getPropertyValue(name);
    const largest = Math.max(...shown.mass.values) || 1;
    const mass = shown.mass.values.map((value) => value / largest);
    context.globalAlpha = 0.3;
    this._curve(context, mass, width, { fill: shown.mass.colour });
    context.globalAlpha = 0.6;
    for (const other of shown.others) {
      this._curve(context, other.values, width, { line: other.colour });
    }
    context.globalAlpha = 1;
    this._curve(context, shown.score.values, width, { line: shown.score.colour, thick: 2 });
    for (const { frame, share, isEnough } of shown.added) {
      context.fillStyle = isEnough ? shown.score.colour : colour("--text");
      const height = share * (BAR_HEIGHT - 12);
      context.fillRect(this._x(frame, width) - 1, BAR_HEIGHT - 6 - height, isEnough ? 3 : 1, height);
    }
    context.fillStyle = colour("--text");
    for (const frame of shown.keyframes) context.fillRect(this._x(frame, width), BAR_HEIGHT - 5, 1, 5);
    drawMarks(context, shown.marks, (frame) => this._edge(frame, width), colour("--mark"));
    if (shown.loop) this._span(context, shown.loop, width, colour("--accent"));
    const x = this._x(shown.frame, width);
    context.fillStyle = colour("--accent");
    context.fillRect(x - 1, 0, 3, BAR_HEIGHT);
    context.fillRect(x - 5, 0, 11, 6);
    this.bar.setAttribute("aria-valuenow", shown.frame);
    const seconds = clock(this.timeline.seconds(shown.frame));
    this.bar.setAttribute("aria-valuetext", `frame ${shown.frame}, ${seconds}`);
  }

  _curve(context, values, width, { fill, line, thick = 1 }) {
    const points = values.length;
    context.beginPath();
    for (let i = 0; i < points; i++) {
      const x = ((i + 0.5) / points) * width;
      const y = BAR_HEIGHT - 6 - values[i] * (BAR_HEIGHT - 12);
      if (i === 0) context.moveTo(0, y);
      context.lineTo(x, y);
      if (i === points - 1) context.lineTo(width, y);
    }
    if (fill) {
      context.lineTo(width, BAR_HEIGHT);
      context.lineTo(0, BAR_HEIGHT);
      context.fillStyle = fill;
      context.fill();
    } else {
      context.strokeStyle = line;
      context.lineWidth = thick;
      context.stroke();
    }
  }

  _span(context, [first, last], width, colour) {
    const [left, right] = [this._edge(first, width), this._edge(last + 1, width)];
    context.save();
    context.globalAlpha = 0.18;
    context.fillStyle = colour;
    context.fillRect(left, 0, right - left, BAR_HEIGHT);
    context.globalAlpha = 1;
    context.fillRect(left, 0, 2, BAR_HEIGHT);
    context.fillRect(right - 2, 0, 2, BAR_HEIGHT);
    context.restore();
  }

  _edge(frame, width) {
    return ((frame - this.timeline.first) / this.timeline.length) * width;
  }

  _x(frame, width) {
    return this._edge(frame + 0.5, width);
  }

  /** Drag to move through the clip; with shift, to choose the looped span. */
  _grab(event) {
    if (event.button !== 0) return;
    this.bar.setPointerCapture(event.pointerId);
    const start = this._frameAt(event);
    const move = (at) => {
      const frame = this._frameAt(at);
      if (event.shiftKey) this.onSpan([Math.min(start, frame), Math.max(start, frame)]);
      else this.onFrame(frame);
    };
    const drop = () => {
      this.bar.removeEventListener("pointermove", move);
      this.bar.removeEventListener("lostpointercapture", drop);
    };
    this.bar.addEventListener("pointermove", move);
    this.bar.addEventListener("lostpointercapture", drop);
    if (!event.shiftKey) this.onFrame(start);
  }

  _frameAt(event) {
    const { left, width } = this.bar.getBoundingClientRect();
    const share = (event.clientX - left) / width;
    return this.timeline.clamp(this.timeline.first + share * this.timeline.length - 0.5);
  }
}
