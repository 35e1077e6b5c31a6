"use strict";
// The keyframes with the chosen map over each; a click jumps there.

const HEAT_SIDE = 96; // pixels of a keyframe's heat, the longer side

class KeyframeStrip {
  constructor(list, data, maps, onFrame) {
    this.list = list;
    this.data = data;
    this.maps = maps;
    this.options = undefined;
    this.key = "";
    const [left, top, right, bottom] = data.maps[0].box;
    this.aspect = ((right - left) * data.clip.pixel_aspect) / (bottom - top);
    this.items = new Map(); // frame -> {entry, button, canvas}
    this.visible = new Set();
    this.current = undefined;
    const observer = new IntersectionObserver((entries) => this._see(entries), {
      root: list,
      rootMargin: "0px 200px",
    });
    for (const frame of data.keyframes) {
      const item = this._item(frame, () => onFrame(frame));
      list.append(item.entry);
      observer.observe(item.entry);
      this.items.set(frame, item);
    }
    this.tabs = rove(list, [...this.items.values()].map(({ button }) => button));
  }

  _item(frame, jump) {
    const number = String(frame).padStart(6, "0");
    const image = element("img", {
      src: pictureAddress(`keyframes/${number}.jpg`),
      loading: "lazy",
      alt: "",
    });
    const canvas = element("canvas", { "aria-hidden": "true" });
    const picture = element("span", { className: "picture" }, image, canvas);
    picture.style.aspectRatio = this.aspect;
    const button = element(
      "button",
      { type: "button", className: "keyframe", "aria-label": `Jump to keyframe ${frame}` },
      picture,
      element("span", { className: "number" }, String(frame)),
    );
    button.addEventListener("click", jump);
    const entry = element("li", {}, button);
    entry.dataset.frame = frame;
    return { entry, button, canvas };
  }

  _see(entries) {
    for (const { target, isIntersecting } of entries) {
      const frame = Number(target.dataset.frame);
      if (isIntersecting) this.visible.add(frame);
      else this.visible.delete(frame);
      if (isIntersecting && this.options) this._draw(frame);
    }
  }

  /** Draw the visible keyframes again, where the map or the display options changed. */
  update(options) {
    const { map, opacity, colormap, threshold, normalize } = options;
    const key = [map, opacity, colormap, threshold, normalize].join();
    if (key === this.key) return;
    this.key = key;
    this.options = options;
    for (const frame of this.visible) this._draw(frame);
  }

  async _draw(frame) {
    const { options } = this;
    await this.maps.load([options.map], frame).catch(() => {});
    const map = this.maps.peek(options.map, frame);
    if (!map || options !== this.options) return;
    if (options.heat?.map !== this.data.maps[options.map]) {
      const chosen = this.data.maps[options.map];
      const [left, top, right, bottom] = chosen.box;
      const scale = Math.min(1, HEAT_SIDE / Math.max(right - left, bottom - top));
      options.heat = new HeatCanvas(chosen, scale);
    }
    const { canvas } = this.items.get(frame);
    const opacity = (heat) => opacityShare(heat) * options.opacity;
    const colours = palette(options.colours, opacity, options.threshold);
    if (!map.seen) return void (canvas.width = canvas.width);
    const heat = options.heat.draw(map, options.normalize, colours);
    [canvas.width, canvas.height] = [heat.width, heat.height];
    canvas.getContext("2d").drawImage(heat, 0, 0);
  }

  /** Highlight the keyframe that is shown, or the one before, and scroll to it. */
  mark(frame, smooth) {
    const before = this.data.keyframes.findLast((key) => key <= frame) ?? this.data.keyframes[0];
    if (before !== this.current) {
      this.items.get(this.current)?.button.removeAttribute("aria-current");
      this.current = before;
      const { entry, button } = this.items.get(before);
      const { list } = this;
      if (!list.contains(document.activeElement)) this.tabs.stop(button);
      const left = entry.offsetLeft - (list.clientWidth - entry.clientWidth) / 2;
      list.scrollTo({ left, behavior: smooth ? "auto" : "instant" }); // auto: as the style sheet says
    }
    const { button } = this.items.get(before);
    button.setAttribute("aria-current", before === frame ? "true" : "step");
  }
}
