"use strict";
// A span of the clip with what the view shows, as GIF or MP4, and the command that does the same.

// A page has to draw every frame twice or more, and to hold the file in memory.
const EXPORT_FRAMES = 600;
const EXPORT_SIDES = { gif: 640, mp4: 1920 }; // pixels of the longer side

class ExportPanel {
  constructor(app) {
    this.app = app;
    this.parts = Object.fromEntries(
      ["span", "gif", "mp4", "stop", "format", "command", "copy", "hint"].map((name) => [
        name,
        document.getElementById(`export-${name}`),
      ]),
    );
    const { gif, mp4, stop, format, command, copy } = this.parts;
    gif.onclick = () => app.report(this._save("gif"));
    mp4.onclick = () => app.report(this._save("mp4"));
    stop.onclick = () => (this.isStopped = true);
    format.onchange = () => this.show(app.state);
    copy.onclick = () =>
      app.report(navigator.clipboard.writeText(command.textContent).then(() => "the command is on the clipboard"));
    for (const part of document.querySelectorAll("[data-of-results]")) part.hidden = app.data.is_single;
    mp4Configuration(640, 480, 25).then((found) => {
      mp4.disabled = !found;
      if (!found) mp4.title = "this browser cannot encode H.264";
    });
  }

  /** The frames that are exported: the looped span, or all that were explained. */
  get span() {
    const { state, timeline } = this.app;
    return state.loop ?? [timeline.first, timeline.last];
  }

  /** The state has changed. */
  show(state) {
    const { timeline, data } = this.app;
    const [first, last] = this.span;
    const seconds = timeline.seconds(last + 1) - timeline.seconds(first);
    const all = data.clip.is_whole ? "The whole clip" : "All that was explained";
    const which = state.loop ? `Frames ${first} to ${last}` : all;
    this.parts.span.textContent = `${which}: ${count(last - first + 1, "frame")}, ${seconds.toFixed(2)}\u00a0s`;
    this.parts.command.textContent = exportCommand(data, state, this.span, this.parts.format.value);
    const isDrawn = this.parts.format.value !== "html";
    const own = !COMMAND_VIEWS.includes(state.view) || state.threshold > 0 || state.outline || !state.dim || state.zoom;
    this.parts.hint.hidden = !(isDrawn && own);
  }

  async _save(format) {
    const { app, parts } = this;
    const [first, last] = this.span;
    if (last - first >= EXPORT_FRAMES) {
      throw new Error(`a page exports up to ${EXPORT_FRAMES} frames: choose a span with [ and ], or use the command`);
    }
    if (app.player.playing) await app.player.pause();
    const { frame_index, range } = app.state;
    [this.isStopped, this.scale, this.size] = [false, undefined, undefined];
    parts.stop.hidden = false;
    parts.gif.disabled = true;
    const [mp4WasOff] = [parts.mp4.disabled, (parts.mp4.disabled = true)];
    try {
      const bytes = await (format === "gif" ? this._gif(first, last) : this._mp4(first, last));
      if (!bytes) return "stopped: nothing was saved";
      const [from, to] = [first, last].map((frame) => String(frame).padStart(6, "0"));
      const name = `${app.stem()}_${from}-${to}.${format}`;
      saveFile(name, bytes.parts, format === "gif" ? "image/gif" : "video/mp4");
      return `saved ${name}, ${this.size.join("×")} pixels${bytes.note}`;
    } finally {
      parts.stop.hidden = true;
      parts.gif.disabled = false;
      parts.mp4.disabled = mp4WasOff;
      await app.set({ frame_index, range }); // the timeline has followed the frames
    }
  }

  async _gif(first, last) {
    const { ticks, numerator, denominator, first: begin } = this.app.timeline;
    const stamps = [...ticks.slice(first - begin, last - begin + 2)];
    const delays = gifDelays(stamps, numerator, denominator);
    let encoder;
    for (const [position, delay] of delays) {
      const canvas = await this._draw(first + position, position / stamps.length, EXPORT_SIDES.gif);
      if (!canvas) return undefined;
      encoder ??= new GifEncoder(canvas.width, canvas.height);
      encoder.add(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, delay);
    }
    const left = stamps.length - 1 - delays.length;
    const note = left ? `, without ${count(left, "frame")} shorter than 0.02\u00a0s` : "";
    return { parts: encoder.finish(), note };
  }

  async _mp4(first, last) {
    const { timeline } = this.app;
    let encoder;
    for (let frame = first; frame <= last; frame++) {
      const share = (frame - first) / (last - first + 1);
      const canvas = await this._draw(frame, share, EXPORT_SIDES.mp4, 2);
      if (!canvas) return undefined;
      encoder ??= await this._mp4Encoder(canvas, first, last);
      await encoder.add(canvas, timeline.ticksOf(frame) * timeline.numerator);
    }
    return { parts: await encoder.finish(), note: "" };
  }

  async _mp4Encoder({ width, height }, first, last) {
    const { timeline } = this.app;
    const seconds = timeline.seconds(last + 1) - timeline.seconds(first);
    const configuration = await mp4Configuration(width, height, (last - first + 1) / seconds);
    if (!configuration) throw new Error("this browser cannot encode H.264 of this size: use the command");
    return new Mp4Encoder(configuration, timeline.denominator);
  }

  /**
   * The view at a frame, undefined where it is stopped. All frames have the size of the first one, a
   * multiple of `step`: longer captions of others are cut.
   */
  async _draw(frame, share, longest, step = 1) {
    if (this.isStopped) return undefined;
    const { app } = this;
    app.showMessage(`drawing frame ${frame}: ${Math.round(100 * share)}\u00a0%`);
    await app.goto(frame);
    const whole = await readableView(app);
    this.scale ??= Math.min(1, longest / Math.max(whole.width, whole.height));
    const side = (length) => Math.max(step, Math.round((length * this.scale) / step) * step);
    this.size ??= [side(whole.width), side(whole.height)];
    const [width, height] = this.size;
    const canvas = element("canvas", { width, height });
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, width, height);
    context.drawImage(whole, 0, 0, side(whole.width), side(whole.height));
    return canvas;
  }
}
