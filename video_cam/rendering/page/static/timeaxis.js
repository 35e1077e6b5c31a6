"use strict";
// Labelled ticks of a time axis.

const TICK_ROOM = 70; // pixels between labels, at least
const LONGEST_IN_SECONDS = 60; // longer clips are labelled in minutes
const TICK_STEPS = [
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30],
  ...[60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000, 86400],
];

/** Seconds between ticks on an axis of `seconds` and `width` pixels. */
function tickStep(seconds, width) {
  const least = (seconds * TICK_ROOM) / Math.max(width, 1);
  return TICK_STEPS.find((step) => step >= least) ?? TICK_STEPS.at(-1);
}

/** The times in seconds of the ticks from `begin` to `end`. */
function tickTimes(begin, end, step) {
  const first = Math.ceil(begin / step - 1e-6);
  const count = Math.max(0, Math.floor(end / step + 1e-6) - first + 1);
  return Array.from({ length: count }, (_, i) => (first + i) * step);
}

/** "2.5 s", "1:30" or "1:02:03", as the step and the clip's end in seconds need. */
function tickLabel(seconds, step, end) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  if (end <= LONGEST_IN_SECONDS) return `${seconds.toFixed(digits)} s`;
  const unit = 10 ** digits;
  const units = Math.round(seconds * unit);
  const whole = Math.floor(units / unit);
  const rest = digits ? (units / unit - whole).toFixed(digits).slice(1) : "";
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60)];
  const long = end >= 3600;
  return `${long ? `${hours}:${two(minutes % 60)}` : minutes}:${two(whole % 60)}${rest}`;
}

/** Draw ticks, labels and a line below `top`; `place(seconds)` is where a time lies. */
function drawTimeAxis(context, { begin, end, clipEnd, width, top, colour }, place) {
  const step = tickStep(end - begin, width);
  context.fillStyle = colour;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "top";
  for (const seconds of tickTimes(begin, end, step)) {
    const x = place(seconds);
    context.fillRect(Math.round(x), top, 1, 4);
    const text = tickLabel(seconds, step, clipEnd);
    const room = context.measureText(text).width;
    context.fillText(text, Math.min(Math.max(x - room / 2, 1), width - room - 1), top + 4);
  }
}
