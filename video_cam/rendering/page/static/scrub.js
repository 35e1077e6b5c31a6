"use strict";
// The timeline: class scores and map mass over time, keyframes, peaks, the looped span, the position.

const BAR_HEIGHT = 88; // of the curves, in CSS pixels
const AXIS_HEIGHT = 17;
const CURVE_EDGE = 6; // above and below the curves
const FRAME_TICKS = 6; // pixels of a frame from which on its edges are marked

class ScrubBar {
  /** onFrame(frame), onSpan([first, last]) and onHover(frame or undefined) are what the pointer does. */
  constructor(bar, timeline, { onFrame, onSpan, onHover }) {
    this.bar = bar;
    this.canvas = bar.querySelector("canvas");
    this.timeline = timeline;
    this.onFrame = onFrame;
    this.onSpan = onSpan;
    this.shown = {};
    this.layers = []; // functions (context, scale, colour) that draw more over the curves
    bar.setAttribute("aria-valuemin", timeline.first);
    bar.setAttribute("aria-valuemax", timeline.last);
    bar.addEventListener("pointerdown", (event) => this._grab(event));
    bar.addEventListener("pointermove", (event) => onHover(this.frameAt(event)));
    bar.addEventListener("pointerleave", () => onHover(undefined));
    new ResizeObserver(() => this.draw(this.shown)).observe(bar);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
      this.draw(this.shown),
    );
  }

  /** Where the moments of the shown range lie. */
  get scale() {
    return new TimeScale(this.timeline, this.shown.range, this.bar.clientWidth);
  }

  /**
   * shown: {frame, loop, range, mass, score, others, keyframes, peaks, added}; curves: {values, colour}
   * over time; peaks: frames, the strongest first; added: {frame, share, isEnough} of the frames that
   * the frame test tested.
   */
  draw(shown) {
    this.shown = shown;
    if (!shown.mass) return;
    const { scale } = this;
    const context = sharpContext(this.canvas, scale.width, BAR_HEIGHT + AXIS_HEIGHT);
    const style = getComputedStyle(this.bar);
    const colour = (name) => style.getPropertyValue(name);
    this._curves(context, scale, shown);
    for (const { frame, share, isEnough } of shown.added) {
      context.fillStyle = isEnough ? shown.score.colour : colour("--text");
      const height = share * (BAR_HEIGHT - 2 * CURVE_EDGE);
      context.fillRect(scale.at(frame + 0.5) - 1, BAR_HEIGHT - CURVE_EDGE - height, isEnough ? 3 : 1, height);
    }
    context.fillStyle = colour("--text");
    for (const frame of shown.keyframes) context.fillRect(scale.at(frame + 0.5), BAR_HEIGHT - 5, 1, 5);
    this._peaks(context, scale, shown.peaks);
    this._axis(context, scale, colour);
    if (shown.loop) this._span(context, shown.loop, scale, colour("--accent"));
    for (const layer of this.layers) layer(context, scale, colour);
    this._position(context, scale, shown.frame, colour("--accent"));
    this.bar.setAttribute("aria-valuenow", shown.frame);
    const seconds = clock(this.timeline.seconds(shown.frame));
    this.bar.setAttribute("aria-valuetext", `frame ${shown.frame}, ${seconds}`);
  }

  _curves(context, scale, { mass, others, score }) {
    const largest = mass.values.reduce((a, b) => Math.max(a, b), 0) || 1;
    context.globalAlpha = 0.3;
    this._curve(context, mass.values, scale, { fill: mass.colour, largest });
    context.globalAlpha = 0.6;
    for (const other of others) this._curve(context, other.values, scale, { line: other.colour });
    context.globalAlpha = 1;
    this._curve(context, score.values, scale, { line: score.colour, thick: 2 });
  }

  _curve(context, values, scale, { fill, line, thick = 1, largest = 1 }) {
    const points = curvePoints(values, scale, fill ? largestOf : meanOf);
    const y = (value) => BAR_HEIGHT - CURVE_EDGE - (value / largest) * (BAR_HEIGHT - 2 * CURVE_EDGE);
    context.beginPath();
    points.forEach(({ begin, middle, end, value }, i) => {
      if (i === 0) context.moveTo(begin, y(value));
      context.lineTo(middle, y(value));
      if (i === points.length - 1) context.lineTo(end, y(value));
    });
    if (fill) {
      context.lineTo(points.at(-1).end, BAR_HEIGHT);
      context.lineTo(points[0].begin, BAR_HEIGHT);
      context.fillStyle = fill;
      context.fill();
    } else {
      context.strokeStyle = line;
      context.lineWidth = thick;
      context.stroke();
    }
  }

  _peaks(context, scale, peaks) {
    for (const frame of peaks) {
      const x = scale.at(frame + 0.5);
      context.beginPath();
      context.moveTo(x - 5, 0);
      context.lineTo(x + 5, 0);
      context.lineTo(x, 8);
      context.fill();
    }
  }

  /** Times below the curves, and where frames begin if they are wide enough. */
  _axis(context, scale, colour) {
    const { begin, end, width } = scale;
    context.fillStyle = colour("--edge");
    context.fillRect(0, BAR_HEIGHT, width, 1);
    if (width / (scale.last - scale.first + 1) >= FRAME_TICKS) {
      for (let frame = scale.first; frame <= scale.last; frame++)
        context.fillRect(Math.round(scale.at(frame)), BAR_HEIGHT - 5, 1, 5);
    }
    const clipEnd = this.timeline.seconds(this.timeline.stop);
    const options = { begin, end, clipEnd, width, top: BAR_HEIGHT, colour: colour("--quiet") };
    drawTimeAxis(context, options, (seconds) => scale.x(seconds));
  }

  _span(context, [first, last], scale, colour) {
    const [left, right] = [scale.at(first), scale.at(last + 1)];
    context.save();
    context.globalAlpha = 0.18;
    context.fillStyle = colour;
    context.fillRect(left, 0, right - left, BAR_HEIGHT);
    context.globalAlpha = 1;
    context.fillRect(left, 0, 2, BAR_HEIGHT);
    context.fillRect(right - 2, 0, 2, BAR_HEIGHT);
    context.restore();
  }

  _position(context, scale, frame, colour) {
    const x = scale.at(frame + 0.5);
    context.fillStyle = colour;
    context.fillRect(x - 1, 0, 3, BAR_HEIGHT);
    context.fillRect(x - 5, 8, 11, 6);
  }

  /** Drag to move through the clip; with shift, to choose the looped span. */
  _grab(event) {
    if (event.button !== 0) return;
    this.bar.setPointerCapture(event.pointerId);
    const start = this.frameAt(event);
    const move = (at) => {
      const frame = this.frameAt(at);
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

  /** The frame under the pointer. */
  frameAt({ clientX }) {
    const { left } = this.bar.getBoundingClientRect();
    return this.scale.frameAt(clientX - left - this.bar.clientLeft);
  }
}

/** A canvas of this many CSS pixels, cleared, with the screen's own pixels; its context. */
function sharpContext(canvas, width, height) {
  const dense = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * dense));
  canvas.height = Math.round(height * dense);
  const context = canvas.getContext("2d");
  context.scale(dense, dense);
  return context;
}

/**
 * The visible part of a curve whose values are spread evenly over the frames, as [{begin, middle, end,
 * value}] in pixels: not more than one for each pixel.
 */
function curvePoints(values, scale, combine) {
  const { timeline } = scale;
  const frames = timeline.length / values.length; // of one value
  const from = Math.max(0, Math.floor((scale.first - timeline.first) / frames) - 1);
  const to = Math.min(values.length, Math.ceil((scale.last + 1 - timeline.first) / frames) + 1);
  const count = Math.min(to - from, Math.max(1, Math.ceil(scale.width)));
  const at = (index) => scale.at(timeline.first + index * frames);
  return Array.from({ length: count }, (_, i) => {
    const [begin, end] = [i, i + 1].map((n) => from + Math.floor((n * (to - from)) / count));
    return {
      begin: at(begin),
      middle: at((begin + end) / 2),
      end: at(end),
      value: combine(values, begin, end),
    };
  });
}

function largestOf(values, begin, end) {
  let largest = values[begin];
  for (let i = begin + 1; i < end; i++) largest = Math.max(largest, values[i]);
  return largest;
}

function meanOf(values, begin, end) {
  let sum = 0;
  for (let i = begin; i < end; i++) sum += values[i];
  return sum / (end - begin);
}
