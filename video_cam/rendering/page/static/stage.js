"use strict";
// The pictures: one panel for each source, heat map or overlay of the view.

const MAX_PIXELS = 4e6; // of all panels together; more would not play smoothly
const UNSEEN_DARKNESS = 0.6;
const BOX_COLOUR = "#ff5fa8"; // of the user's box
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
  /** scale: canvas pixels for one source pixel; finest: how many times as many a magnified one may have. */
  constructor(kind, map, index, clip, scale, finest) {
    this.kind = kind;
    this.map = map;
    this.index = index;
    this.clip = clip;
    this.scale = scale;
    this.finest = finest;
    this.size = [clip.width, clip.height].map((side) => Math.max(1, Math.round(side * scale)));
    const [width, height] = this.size;
    this.canvas = element("canvas", { width, height, role: "img" });
    const aspect = (clip.width * clip.pixel_aspect) / clip.height;
    this.canvas.style.aspectRatio = aspect;
    this.canvas.style.setProperty("--aspect", aspect);
    this.caption = element("figcaption");
    this.figure = element("figure", { className: "panel" }, this.canvas, this.caption);
    this.heat = new HeatCanvas(map, scale);
  }

  /**
   * `drawSource(context, left, top, width, height)` draws the video's frame; `frame` is the map at this
   * frame, undefined until it is loaded.
   */
  draw(drawSource, frame, options, canvas = this.canvas) {
    const context = canvas.getContext("2d");
    const { width, height } = canvas;
    this.part = visiblePart(options.zoom, this.clip);
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingEnabled = !this._isEnlarged(canvas);
    if (this.kind !== "heat") drawSource(context, ...this._whole(canvas));
    else this._blank(context, frame, width, height);
    context.imageSmoothingEnabled = true;
    if (this.kind === "overlay" && options.dim) this._dim(context, frame, width, height);
    if (this.kind !== "source" && frame?.seen) this._heat(context, drawSource, frame, options);
    if (options.outline) this._outline(context, DATA.seen_box, "#fff");
    for (const { box, corners } of options.truth) {
      if (box) this._outline(context, box, TRUTH_COLOUR);
      else this._closedLine(context, corners, TRUTH_COLOUR);
    }
    if (options.box) this._outline(context, options.box, BOX_COLOUR);
  }

  /** A magnified picture has as many pixels as the screen shows, so that the source's are squares. */
  fit(isMagnified) {
    const shown = this.canvas.clientWidth * (devicePixelRatio || 1);
    const times = isMagnified ? Math.max(1, Math.min(this.finest, Math.ceil(shown / this.size[0]))) : 1;
    const [width, height] = this.size.map((side) => side * times);
    if (this.canvas.width !== width) Object.assign(this.canvas, { width, height });
  }

  /** Whether a source pixel is larger than one of the canvas. */
  _isEnlarged(canvas) {
    return canvas.width > this.part[2];
  }

  /** left, top, width, height on a canvas of the whole picture; parts of it may lie beyond. */
  _whole(canvas) {
    return this._box([0, 0, this.clip.width, this.clip.height], canvas);
  }

  /** The heat, on an overlay with the details of the source and the contour lines. */
  _heat(context, drawSource, frame, options) {
    const { canvas } = context;
    const box = this._box(this.map.box, canvas);
    const share = (heat) => opacityShare(heat) * options.opacity;
    const isAlone = this.kind === "heat";
    const colours = palette(options.colours, isAlone ? () => 1 : share, options.threshold);
    const heat = this.heat.draw(frame, options.normalize, colours);
    context.drawImage(heat, ...box);
    if (isAlone) return;
    this._detailOf(canvas).draw(context, drawSource, heat, box, this._whole(canvas));
    if (!options.contours) return;
    const peak = fullHeat(this.map, frame, options.normalize);
    this.contours ??= new ContourLines(this.map, this.scale);
    this.contours.draw(context, frame.values, peak, DATA.contours, box);
  }

  /** The canvases for details on one canvas; those of a canvas that is saved are its own. */
  _detailOf(canvas) {
    const { width, height } = canvas;
    if (canvas !== this.canvas) return new DetailCanvas(width, height);
    if (this.detail?.gray.width !== width) this.detail = new DetailCanvas(width, height);
    return this.detail;
  }

  /** A heat map before its heat: black in the box, grey where the network did not see. */
  _blank(context, frame, width, height) {
    context.save();
    context.fillStyle = UNSEEN_COLOUR;
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#000";
    if (frame === undefined || frame.seen) context.fillRect(...this._box(this.map.box, context.canvas));
    context.restore();
  }

  /** Grey and dark where the network did not see. */
  _dim(context, frame, width, height) {
    const seen = frame === undefined || frame.seen;
    const [left, top, across, down] = seen ? this._box(this.map.box, context.canvas) : [0, 0, 0, 0];
    if (left <= 0 && top <= 0 && left + across >= width && top + down >= height) return;
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

  /** Outline a box in source pixels. */
  _outline(context, box, light) {
    const [left, top, across, down] = this._box(box, context.canvas);
    this._dashed(context, light, (thickness) => {
      const inset = thickness / 2;
      context.rect(left + inset, top + inset, across - thickness, down - thickness);
    });
  }

  /** corners: x, y, x, y, ... in source pixels. */
  _closedLine(context, corners, light) {
    const [left, top, across, down] = this._whole(context.canvas);
    this._dashed(context, light, () => {
      for (let i = 0; i < corners.length; i += 2) {
        context.lineTo(
          left + (corners[i] * across) / this.clip.width,
          top + (corners[i + 1] * down) / this.clip.height,
        );
      }
      context.closePath();
    });
  }

  _dashed(context, light, trace) {
    const thickness = Math.max(2, context.canvas.height / 200);
    context.save();
    context.lineWidth = thickness;
    context.beginPath();
    trace(thickness);
    for (const [colour, dash] of [["#000", []], [light, [thickness * 4, thickness * 3]]]) {
      context.strokeStyle = colour;
      context.setLineDash(dash);
      context.stroke();
    }
    context.restore();
  }

  /** left, top, width, height on a canvas of a box in source pixels. */
  _box([left, top, right, bottom], { width, height }) {
    const [x, y, partWidth, partHeight] = this.part;
    const [across, down] = [width / partWidth, height / partHeight];
    return [(left - x) * across, (top - y) * down, (right - left) * across, (bottom - top) * down];
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
    const most = Math.sqrt(MAX_PIXELS / (wanted.length * width * height));
    const [scale, finest] = [Math.min(1, most), Math.max(1, Math.floor(most))];
    this.panels = wanted.map(
      ([kind, index]) => new Panel(kind, this.data.maps[index], index, this.data.clip, scale, finest),
    );
    this.holder.replaceChildren(...this.panels.map((panel) => panel.figure));
    this.holder.dataset.panels = Math.min(this.panels.length, 4);
  }

  /** How many panels stand side by side. */
  get columns() {
    const tops = this.panels.map(({ figure }) => figure.offsetTop);
    return tops.filter((top) => top === tops[0]).length;
  }

  get maps() {
    return [...new Set(this.panels.map((panel) => panel.index))];
  }

  draw(frameOf, options, describe) {
    for (const panel of this.panels) {
      const frame = frameOf(panel.index);
      panel.fit(options.zoom !== null);
      panel.draw(this.drawSource, frame, options);
      const text = describe(panel, frame);
      panel.caption.textContent = text;
      panel.canvas.setAttribute("aria-label", text);
    }
  }
  /** The panel under the pointer and the point of the source there, {panel, x, y}; or undefined. */
  pointOf(pointer) {
    const { clientX, clientY } = pointer;
    const panel = this.panels.find(({ canvas }) => {
      const { left, top, right, bottom } = canvas.getBoundingClientRect();
      return left <= clientX && clientX < right && top <= clientY && clientY < bottom;
    });
    return panel && { panel, ...this.pointOn(panel, pointer) };
  }

  /** The point of the source under the pointer, as if the panel went on beyond its edges. */
  pointOn({ canvas, part }, { clientX, clientY }) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const [x, y, across, down] = part;
    return {
      x: x + ((clientX - left) / width) * across,
      y: y + ((clientY - top) / height) * down,
    };
  }
}
