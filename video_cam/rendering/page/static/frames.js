"use strict";
// The frame test: what each frame adds to the score, and the few frames that are enough for it.

const CHART_HEIGHT = 112; // CSS pixels
const CHART_EDGE = 8; // above the largest and below the smallest value

/** The limits of values with their errors; 0 is between them. */
function chartLimits({ contributions, standard_errors }) {
  const ends = contributions.map((value, i) => [value - 2 * standard_errors[i], value + 2 * standard_errors[i]]);
  const [low, high] = [Math.min(0, ...ends.flat()), Math.max(0, ...ends.flat())];
  return high > low ? [low, high] : [0, 1];
}

class FrameTest {
  /** `test` as in DATA.frame_test; `onFrame(frame)` is called when the user chooses a frame. */
  constructor(section, test, colour, onFrame) {
    this.test = test;
    this.colour = colour;
    this.onFrame = onFrame;
    this.enough = new Set(test.sufficient);
    this.canvas = section.querySelector("canvas");
    this.buttons = new Map(test.shown.map((frame) => [frame, this._button(frame)]));
    const list = section.querySelector("ol");
    for (const button of this.buttons.values()) list.append(element("li", {}, button));
    if (this.buttons.size) rove(list, [...this.buttons.values()]);
    this.canvas.addEventListener("click", (event) => onFrame(this._frameAt(event)));
    new ResizeObserver(() => this.draw(this.frame)).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(this.frame));
  }

  _button(frame) {
    const { frames, contributions, standard_errors } = this.test;
    const place = frames.indexOf(frame);
    const image = element("img", {
      src: pictureAddress(`keyframes/${String(frame).padStart(6, "0")}.jpg`),
      loading: "lazy",
      alt: "",
    });
    const added = signed(contributions[place]);
    const error = standard_errors[place] > 0 ? ` ± ${standard_errors[place].toFixed(2)}` : "";
    const button = element(
      "button",
      { type: "button", className: "keyframe", "aria-label": `Jump to frame ${frame}, which adds ${added}` },
      element("span", { className: "picture" }, image),
      element("span", { className: "number" }, `${frame}: ${added}${error}`),
    );
    button.addEventListener("click", () => this.onFrame(frame));
    return button;
  }

  /** Draw the bars, the one of the shown frame with a frame around it. */
  draw(shown) {
    this.frame = shown;
    const { clientWidth: width } = this.canvas;
    const dense = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(width * dense));
    this.canvas.height = Math.round(CHART_HEIGHT * dense);
    const context = this.canvas.getContext("2d");
    context.scale(dense, dense);
    const style = getComputedStyle(this.canvas);
    const { frames, contributions, standard_errors } = this.test;
    const each = width / frames.length;
    const [text, others, accent] = ["--text", "--faint", "--accent"].map((name) => style.getPropertyValue(name));
    const y = this._scale();
    frames.forEach((frame, i) => {
      context.fillStyle = this.enough.has(frame) ? this.colour : others;
      const [top, bottom] = [y(contributions[i]), y(0)].sort((a, b) => a - b);
      context.fillRect(i * each + each * 0.1, top, each * 0.8, Math.max(bottom - top, 1));
      const [high, low] = [1, -1].map((sign) => y(contributions[i] + 2 * sign * standard_errors[i]));
      context.fillStyle = text;
      context.fillRect((i + 0.5) * each - 0.5, high, 1, low - high);
      if (frame !== shown) return;
      context.strokeStyle = accent;
      context.lineWidth = 2;
      context.strokeRect(i * each + 1, 1, each - 2, CHART_HEIGHT - 2);
    });
    context.fillStyle = text;
    context.fillRect(0, y(0) - 0.5, width, 1);
    for (const [frame, button] of this.buttons) {
      if (frame === shown) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  /** The curve of the contributions for the scrub bar: values from 0 to 1, negative ones are 0. */
  get curve() {
    const largest = Math.max(...this.test.contributions);
    if (largest <= 0) return [];
    return this.test.frames.map((frame, i) => ({
      frame,
      share: Math.max(this.test.contributions[i], 0) / largest,
      isEnough: this.enough.has(frame),
    }));
  }

  _scale() {
    const [low, high] = chartLimits(this.test);
    return (value) => CHART_EDGE + ((high - value) / (high - low)) * (CHART_HEIGHT - 2 * CHART_EDGE);
  }

  _frameAt(event) {
    const { left, width } = this.canvas.getBoundingClientRect();
    const { frames } = this.test;
    const place = Math.floor(((event.clientX - left) / width) * frames.length);
    return frames[Math.min(Math.max(place, 0), frames.length - 1)];
  }
}

/** 1.234 -> "+1.23" */
function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
