"use strict";
// The frames the network was given, with the chosen map over each; a click jumps there.

class KeyframeStrip {
  constructor(list, data, maps, onFrame) {
    this.list = list;
    this.data = data;
    this.maps = maps;
    this.look = undefined;
    this.key = "";
    const [left, top, right, bottom] = data.maps[0].box;
    this.aspect = ((right - left) * data.clip.pixel_aspect) / (bottom - top);
    this.items = new Map(); // frame -> its parts
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
      if (isIntersecting && this.look) this._paint(frame);
    }
  }

  /** Another map or look: what is in sight is painted anew. */
  update(look) {
    const { map, opacity, colormap, threshold, normalize } = look;
    const key = [map, opacity, colormap, threshold, normalize].join();
    if (key === this.key) return;
    this.key = key;
    this.look = look;
    for (const frame of this.visible) this._paint(frame);
  }

  async _paint(frame) {
    const { look } = this;
    await this.maps.load([look.map], frame).catch(() => {});
    const map = this.maps.peek(look.map, frame);
    if (!map || look !== this.look) return;
    if (look.painter?.map !== this.data.maps[look.map]) {
      const chosen = this.data.maps[look.map];
      const [left, top, right, bottom] = chosen.box;
      look.painter = new MapPainter(chosen, Math.min(1, 96 / Math.max(right - left, bottom - top)));
    }
    const { canvas } = this.items.get(frame);
    const colours = palette(look.colours, (heat) => heat * look.opacity, look.threshold);
    if (!map.seen) return void (canvas.width = canvas.width);
    const painted = look.painter.paint(map, look.normalize, colours);
    [canvas.width, canvas.height] = [painted.width, painted.height];
    canvas.getContext("2d").drawImage(painted, 0, 0);
  }

  /** Mark the keyframe that is shown, and bring the nearest one before into sight. */
  mark(frame, smooth) {
    const before = this.data.keyframes.findLast((key) => key <= frame) ?? this.data.keyframes[0];
    if (before !== this.current) {
      this.items.get(this.current)?.button.removeAttribute("aria-current");
      this.current = before;
      const { entry } = this.items.get(before);
      const { list } = this;
      const left = entry.offsetLeft - (list.clientWidth - entry.clientWidth) / 2;
      list.scrollTo({ left, behavior: smooth ? "auto" : "instant" }); // auto: as the style says
    }
    const { button } = this.items.get(before);
    button.setAttribute("aria-current", before === frame ? "true" : "step");
  }
}
