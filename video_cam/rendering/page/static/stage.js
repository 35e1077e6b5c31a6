"use strict";
// The pictures: one panel for each source, heat map or overlay of the view.

const MAX_PIXELS = 4e6; // of all panels together; more would not play smoothly
const UNSEEN_DARKNESS = 0.6;
const UNSEEN_COLOUR = "#404040"; // in a heat map, where black is no heat

/** The panels of a view as [kind, map] pairs; kind: source, heat or overlay. */
function panelsOf(view, maps, chosen) {
  const same = (...names) =>
    maps.map((map, i) => [map, i]).filter(([map]) => names.every((n) => map[n] === maps[chosen][n]));
  const overlays = (pairs) => pairs.map(([, i]) => ["overlay", i]);
  switch (view) {
    case "side-by-side":
      return [["source", chosen], ["overlay", chosen]];
    case "strip":
      return [["source", chosen], ["heat", chosen], ["overlay", chosen]];
    case "classes":
      return overlays(same("method", "layer", "detail"));
    case "methods":
      return overlays(same("class_id", "layer", "detail"));
    case "layers":
      return overlays(same("class_id", "method", "detail"));
    case "details":
      return overlays(same("class_id", "method", "layer"));
    default:
      return [["overlay", chosen]];
  }
}

class Panel {
  constructor(kind, map, index, clip, scale) {
    this.kind = kind;
    this.map = map;
    this.index = index;
    this.clip = clip;
    this.scale = scale;
    this.canvas = element("canvas", {
      width: Math.max(1, Math.round(clip.width * scale)),
      height: Math.max(1, Math.round(clip.height * scale)),
      role: "img",
    });
    const aspect = (clip.width * clip.pixel_aspect) / clip.height;
    this.canvas.style.aspectRatio = aspect;
    this.canvas.style.setProperty("--aspect", aspect);
    this.caption = element("figcaption");
    this.figure = element("figure", { className: "panel" }, this.canvas, this.caption);
    this.heat = new HeatCanvas(map, scale);
  }

  /**
   * `drawSource(context, width, height)` draws the video's frame; `frame` is the map at this frame,
   * undefined until it is loaded.
   */
  draw(drawSource, frame, options, canvas = this.canvas) {
    const context = canvas.getContext("2d");
    const { width, height } = canvas;
    context.fillRect(0, 0, width, height);
    if (this.kind !== "heat") drawSource(context, width, height);
    else this._blank(context, frame, width, height);
    if (this.kind === "overlay" && options.dim) this._dim(context, frame, width, height);
    if (this.kind !== "source" && frame?.seen) this._heat(context, drawSource, frame, options);
    if (options.outline) this._outline(context);
  }

  /** The heat, on an overlay with the details of the source and the contour lines. */
  _heat(context, drawSource, frame, options) {
    const box = this._box(this.map.box);
    const share = (heat) => opacityShare(heat) * options.opacity;
    const isAlone = this.kind === "heat";
    const colours = palette(options.colours, isAlone ? () => 1 : share, options.threshold);
    const heat = this.heat.draw(frame, options.normalize, colours);
    context.drawImage(heat, ...box);
    if (isAlone) return;
    this._detailOf(context.canvas).draw(context, drawSource, heat, box);
    if (!options.contours) return;
    const peak = fullHeat(this.map, frame, options.normalize);
    this.contours ??= new ContourLines(this.map, this.scale);
    this.contours.draw(context, frame.values, peak, DATA.contours, box);
  }

  /** The canvases for details on one canvas; those of a canvas that is saved are its own. */
  _detailOf(canvas) {
    if (canvas !== this.canvas) return new DetailCanvas(canvas.width, canvas.height);
    this.detail ??= new DetailCanvas(canvas.width, canvas.height);
    return this.detail;
  }

  /** A heat map before its heat: black in the box, grey where the network did not see. */
  _blank(context, frame, width, height) {
    context.save();
    context.fillStyle = UNSEEN_COLOUR;
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#000";
    if (frame === undefined || frame.seen) context.fillRect(...this._box(this.map.box));
    context.restore();
  }

  /** Grey and dark where the network did not see. */
  _dim(context, frame, width, height) {
    const seen = frame === undefined || frame.seen;
    const [left, top, across, down] = seen ? this._box(this.map.box) : [0, 0, 0, 0];
    if (across >= width && down >= height) return;
    context.save();
    context.beginPath();
    context.rect(0, 0, width, height);
    context.rect(left, top, across, down);
    context.clip("evenodd");
    context.globalCompositeOperation = "saturation"; // keeps the luminance
    context.fillStyle = "#808080";
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "source-over";
    context.fillStyle = `rgb(0 0 0 / ${UNSEEN_DARKNESS})`;
    context.fillRect(0, 0, width, height);
    context.restore();
  }

  _outline(context) {
    const [left, top, across, down] = this._box(DATA.seen_box);
    const thickness = Math.max(2, this.canvas.height / 200);
    context.save();
    context.lineWidth = thickness;
    for (const [colour, dash] of [["#000", []], ["#fff", [thickness * 4, thickness * 3]]]) {
      context.strokeStyle = colour;
      context.setLineDash(dash);
      const inset = thickness / 2;
      context.strokeRect(left + inset, top + inset, across - thickness, down - thickness);
    }
    context.restore();
  }

  /** left, top, width, height on the canvas of a box in source pixels. */
  _box([left, top, right, bottom]) {
    return [left, top, right - left, bottom - top].map((length) => length * this.scale);
  }
}

class Stage {
  constructor(holder, data, drawSource) {
    this.holder = holder;
    this.data = data;
    this.drawSource = drawSource;
    this.panels = [];
    this.key = "";
  }

  /** Create the panels of a view, unless they are there already. */
  arrange(view, chosen) {
    const key = `${view} ${chosen}`;
    if (key === this.key) return;
    this.key = key;
    const wanted = panelsOf(view, this.data.maps, chosen);
    const { width, height } = this.data.clip;
    const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (wanted.length * width * height)));
    this.panels = wanted.map(
      ([kind, index]) => new Panel(kind, this.data.maps[index], index, this.data.clip, scale),
    );
    this.holder.replaceChildren(...this.panels.map((panel) => panel.figure));
    this.holder.dataset.panels = Math.min(this.panels.length, 4);
  }

  /** How many panels stand side by side. */
  get columns() {
    return getComputedStyle(this.holder).gridTemplateColumns.split(" ").length;
  }

  get maps() {
    return [...new Set(this.panels.map((panel) => panel.index))];
  }

  draw(frameOf, options, describe) {
    for (const panel of this.panels) {
      const frame = frameOf(panel.index);
      panel.draw(this.drawSource, frame, options);
      const text = describe(panel, frame);
      panel.caption.textContent = text;
      panel.canvas.setAttribute("aria-label", text);
    }
  }
}
