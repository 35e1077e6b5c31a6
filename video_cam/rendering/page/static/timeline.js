"use strict";
// Time stamps of the frames. Frames are numbered as in the source, from 0.

class Timeline {
  constructor({ first, first_pts, steps, last_duration, time_base }) {
    const differences = unpack(steps);
    this.first = first;
    this.stop = first + differences.length + 1;
    this.ticks = new Float64Array(differences.length + 2); // the last entry is the end
    this.ticks[0] = first_pts;
    differences.forEach((step, i) => (this.ticks[i + 1] = this.ticks[i] + step));
    this.ticks[differences.length + 1] = this.ticks[differences.length] + last_duration;
    [this.numerator, this.denominator] = time_base;
  }

  get length() {
    return this.stop - this.first;
  }

  get last() {
    return this.stop - 1;
  }

  /** When a frame appears, in seconds; for the frame after the last, when the last one ends. */
  seconds(frame) {
    return (this.ticks[frame - this.first] * this.numerator) / this.denominator;
  }

  /** How long a frame is shown, in ticks. */
  ticksOf(frame) {
    return this.ticks[frame - this.first + 1] - this.ticks[frame - this.first];
  }

  /** The time of a position between frames, in seconds: 3.5 is the middle of frame 3. */
  secondsAt(position) {
    const frame = Math.min(Math.floor(position), this.last);
    const begin = this.seconds(frame);
    return begin + (position - frame) * (this.seconds(frame + 1) - begin);
  }

  /** The frame shown at a time in seconds; a time `early` frames before its stamp is accepted. */
  frameAt(seconds, early = 1 / 4) {
    let [low, high] = [this.first, this.last];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const step = this.seconds(middle) - this.seconds(middle - 1);
      if (this.seconds(middle) <= seconds + step * early) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  clamp(frame) {
    return Math.min(Math.max(Math.round(frame), this.first), this.last);
  }
}

/** 83.25 -> "1:23.250" */
function clock(seconds) {
  const milliseconds = Math.round(seconds * 1000);
  const minutes = Math.floor(milliseconds / 60000);
  return `${minutes}:${((milliseconds % 60000) / 1000).toFixed(3).padStart(6, "0")}`;
}
