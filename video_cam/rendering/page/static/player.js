"use strict";
// The video: stepped through frame by frame, or played.

const FRAME_TIMEOUT = 250; // milliseconds after a seek, for browsers that do not report frames

class Player {
  /**
   * `onFrame(frame)` is called whenever another frame of the video can be drawn; `onMove(frame)` is
   * called before it when playing, not the user, moved to that frame; `onMiss(frame)` when the
   * browser shows another frame than the one that was asked for.
   */
  constructor(video, timeline, clip, { onFrame, onMove, onMiss }) {
    this.video = video;
    this.timeline = timeline;
    this.clip = clip;
    this.onFrame = onFrame;
    this.onMove = onMove;
    this.onMiss = onMiss;
    this.shown = undefined;
    this.wanted = undefined;
    this.jumping = undefined;
    this.loop = undefined; // [first, last] frames, both included
    this.playing = false;
    this.wrapping = false;
    this.failed = false;
  }

  /** Resolves when the video can seek, or when it turns out that it cannot be played. */
  async open(url) {
    this.url = url;
    await this._load(url);
    const { seekable } = this.video;
    const end = seekable.length ? seekable.end(seekable.length - 1) : 0;
    if (this.failed || (end > 0 && Number.isFinite(end))) return;
    await this._loadWhole();
  }

  /** A simple server cannot send part of a file, so the video cannot seek: load the whole file. */
  async _loadWhole() {
    const whole = await fetch(this.url).then((answer) => answer.blob());
    this.url = URL.createObjectURL(whole);
    await this._load(this.url);
  }

  _load(url) {
    this.shown = undefined;
    return new Promise((resolve) => {
      this.video.onloadeddata = resolve;
      this.video.onerror = () => {
        this.failed = true;
        resolve();
      };
      this.video.src = url;
    });
  }

  /** Resolves when this frame, or one that was requested later, can be drawn. */
  show(frame) {
    this.wanted = frame;
    this.jumping ??= this._jump().finally(() => (this.jumping = undefined));
    return this.jumping;
  }

  async _jump() {
    while (this.shown !== this.wanted) {
      const target = this.wanted;
      if (!this.failed) await this._seek(target);
      this.shown = target;
      this.onFrame(target);
    }
  }

  /** Seek to a frame; where the browser does not reach it, load the whole file and try again. */
  async _seek(frame) {
    if (await this._reaches(frame)) return;
    if (/^https?:/.test(this.video.currentSrc)) {
      await this._loadWhole();
      if (await this._reaches(frame)) return;
    }
    this.onMiss(frame);
  }

  /** Seek to a frame; try again where the browser shows another one. */
  async _reaches(frame) {
    const { timeline } = this;
    const [begin, end] = [timeline.seconds(frame), timeline.seconds(frame + 1)];
    for (const share of [1 / 2, 1 / 16, 15 / 16]) {
      const wanted = begin + share * (end - begin) - this.clip.start_seconds;
      const seconds = await this._seekTo(wanted);
      // Without a report the frame counts as reached if the video stands where it should.
      const stands = Math.abs(this.video.currentTime - wanted) < (end - begin) / 2;
      if (seconds === undefined ? stands : timeline.frameAt(seconds + this.clip.start_seconds) === frame)
        return true;
    }
    return false;
  }

  /** Resolves with the time stamp of the frame shown then, if the browser reports it. */
  async _seekTo(seconds) {
    const arrived = new Promise((resolve) => {
      this.video.onseeked = resolve;
      this.video.addEventListener("error", resolve, { once: true });
    });
    const presented = this._presented();
    this.video.currentTime = seconds;
    await arrived;
    return Promise.race([presented, wait(FRAME_TIMEOUT)]);
  }

  /** Resolves with the time stamp of the next frame that the video shows. */
  _presented() {
    if (!this.video.requestVideoFrameCallback) return wait(0);
    return new Promise((resolve) =>
      this.video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime)),
    );
  }

  async play() {
    if (this.playing || this.failed) return;
    this.playing = true;
    const [first, last] = this._span;
    if (this.shown < first || this.shown >= last) {
      this.onMove(first);
      await this.show(first);
    }
    await this._run();
  }

  /** Stop at the frame that is drawn now. */
  async pause() {
    this.playing = false;
    this.video.pause();
    if (this.wrapping) return;
    const frame = this.shown;
    this.shown = undefined; // the video may have advanced by one frame
    await this.show(frame);
  }

  get _span() {
    return this.loop ?? [this.timeline.first, this.timeline.last];
  }

  async _run() {
    await this.video.play().catch(() => (this.playing = false));
    this.run = (this.run ?? 0) + 1;
    this.video.onended = () => this._wrap();
    this._follow(this.run);
    this._watch(this.run);
  }

  _isRunning(run) {
    return this.playing && !this.wrapping && run === this.run;
  }

  /** Draw every frame that the video shows. */
  _follow(run) {
    const step = (seconds) => {
      if (!this._isRunning(run)) return;
      const frame = this.timeline.frameAt(seconds + this.clip.start_seconds);
      if (frame > this._span[1]) return void this._wrap();
      if (frame !== this.shown) {
        this.shown = this.wanted = frame;
        this.onMove(frame);
        this.onFrame(frame);
      }
      this._follow(run);
    };
    if (this.video.requestVideoFrameCallback) {
      this.video.requestVideoFrameCallback((_, { mediaTime }) => step(mediaTime));
    } else {
      requestAnimationFrame(() => step(this.video.currentTime));
    }
  }

  /** After a last frame no further frame is reported, so compare the time with its end, too. */
  _watch(run) {
    if (!this._isRunning(run)) return;
    const end = this.timeline.seconds(this._span[1] + 1) - this.clip.start_seconds;
    if (this.video.currentTime >= end) this._wrap();
    else requestAnimationFrame(() => this._watch(run));
  }

  /** At the end: start the looped span again, or stop on the last frame. */
  async _wrap() {
    if (this.wrapping || !this.playing) return;
    this.wrapping = true;
    this.video.pause();
    const frame = this.loop ? this.loop[0] : this.timeline.last;
    this.onMove(frame);
    await this.show(frame);
    this.wrapping = false;
    if (this.loop && this.playing) return void (await this._run());
    this.playing = false;
    this.onFrame(frame);
  }
}

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
