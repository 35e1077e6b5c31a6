"use strict";
// The part of the clip that the timeline shows, a range [first, last] of frames or null for all, and
// where its moments lie in pixels.

const MIN_RANGE_FRAMES = 8;

class TimeScale {
  /** `width`: of the timeline, in CSS pixels. */
  constructor(timeline, range, width) {
    this.timeline = timeline;
    this.width = width;
    [this.first, this.last] = range ?? [timeline.first, timeline.last];
    this.begin = timeline.seconds(this.first);
    this.end = timeline.seconds(this.last + 1);
  }

  /** Where a time in seconds lies. */
  x(seconds) {
    return ((seconds - this.begin) / (this.end - this.begin || 1)) * this.width;
  }

  /** Where a position between frames lies: 3 is where frame 3 begins, 3.5 its middle. */
  at(position) {
    return this.x(this.timeline.secondsAt(position));
  }

  seconds(x) {
    return this.begin + (x / this.width) * (this.end - this.begin);
  }

  /** The frame in whose time a pixel lies. */
  frameAt(x) {
    const frame = this.timeline.frameAt(this.seconds(x), 0);
    return Math.min(Math.max(frame, this.first), this.last);
  }
}

/** The range of `count` frames in which `anchor` stays at the same share of the width. */
function rangeAround(timeline, anchor, share, count) {
  const frames = Math.round(Math.min(Math.max(count, MIN_RANGE_FRAMES), timeline.length));
  if (frames >= timeline.length) return null;
  const wanted = Math.round(anchor + 0.5 - share * frames);
  const first = Math.min(Math.max(wanted, timeline.first), timeline.stop - frames);
  return [first, first + frames - 1];
}

/** The range in which `factor` times as many frames are shown; `anchor` stays where it is. */
function zoomedRange(timeline, range, factor, anchor) {
  const [first, last] = range ?? [timeline.first, timeline.last];
  const frames = last - first + 1;
  // One frame at least, so that rounding does not hold up a slow wheel.
  const count = factor < 1 ? Math.min(frames * factor, frames - 1) : Math.max(frames * factor, frames + 1);
  return rangeAround(timeline, anchor, (anchor + 0.5 - first) / frames, count);
}

/** The range moved by a number of frames, within the clip. */
function movedRange(timeline, range, frames) {
  if (!range) return null;
  const [first, last] = range;
  const by = Math.min(Math.max(Math.round(frames), timeline.first - first), timeline.last - last);
  return [first + by, last + by];
}

/** The range that shows a frame: the same one if it does, else the one with the frame near its begin. */
function followedRange(timeline, range, frame) {
  if (!range || (range[0] <= frame && frame <= range[1])) return range;
  const count = range[1] - range[0] + 1;
  return rangeAround(timeline, frame, frame > range[1] ? 0.1 : 0.9, count);
}
