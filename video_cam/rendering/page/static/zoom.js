"use strict";
// The part of the picture that all panels show: null for all of it, or [factor, x, y], magnified with
// this point of the source, in pixels, in the middle.

const MAX_ZOOM = 32;
const ZOOM_STEP = 1.5; // of a key or a button
const ZOOM_WHEEL_SPEED = 0.002; // of the logarithm of the factor, for each pixel the wheel turns
const PAN_SHARE = 0.1; // of the visible part, for each key

/** [left, top, width, height] in source pixels of what is visible; never beyond the picture. */
function visiblePart(zoom, { width, height }) {
  if (!zoom) return [0, 0, width, height];
  const [factor, x, y] = zoom;
  const [across, down] = [width / factor, height / factor];
  const within = (begin, length, whole) => Math.min(Math.max(begin, 0), whole - length);
  return [within(x - across / 2, across, width), within(y - down / 2, down, height), across, down];
}

/** A zoom within the picture, rounded so that a link stays short; null if nothing is magnified. */
function settledZoom([factor, x, y], clip) {
  const rounded = Math.min(Math.round(factor * 1000) / 1000, MAX_ZOOM);
  if (rounded <= 1) return null;
  const [left, top, across, down] = visiblePart([rounded, x, y], clip);
  return [rounded, ...[left + across / 2, top + down / 2].map((at) => Math.round(at * 100) / 100)];
}

/** Magnified by `factor` more; the point (x, y) of the source keeps its place. */
function zoomedAt(zoom, clip, factor, x, y) {
  const [left, top, across, down] = visiblePart(zoom, clip);
  const before = zoom?.[0] ?? 1;
  const after = Math.min(Math.max(before * factor, 1), MAX_ZOOM);
  const shrink = before / after;
  const middle = [x + (left + across / 2 - x) * shrink, y + (top + down / 2 - y) * shrink];
  return settledZoom([after, ...middle], clip);
}

/** Moved by source pixels. */
function pannedBy(zoom, clip, dx, dy) {
  return zoom && settledZoom([zoom[0], zoom[1] + dx, zoom[2] + dy], clip);
}

/** Wheel, pinch, drag, double click and keys on the pictures. */
class PictureZoom {
  /** stage: whose panels are pointed at; onZoom(zoom) is called when the user changes it. */
  constructor(stage, clip, onZoom) {
    this.stage = stage;
    this.clip = clip;
    this.onZoom = onZoom;
    this.current = null;
    this.pointers = new Map(); // pointerId -> where it was last, on the same panel
    const { holder } = stage;
    holder.addEventListener("wheel", (event) => this._turn(event), { passive: false });
    holder.addEventListener("dblclick", (event) => stage.pointOf(event) && onZoom(null));
    holder.addEventListener("pointerdown", (event) => this._press(event));
    // A mouse does not take the focus, so that arrow keys step through the clip.
    holder.addEventListener("mousedown", (event) => stage.pointOf(event) && event.preventDefault());
    holder.addEventListener("pointermove", (event) => this._move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"])
      holder.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    holder.addEventListener("keydown", (event) => this._key(event));
    document.getElementById("zoom-in").onclick = () => this.step(1);
    document.getElementById("zoom-out").onclick = () => this.step(-1);
    document.getElementById("zoom-reset").onclick = () => onZoom(null);
  }

  /** Magnify more (1) or less (-1), with the middle in its place. */
  step(direction) {
    const [left, top, across, down] = visiblePart(this.current, this.clip);
    const factor = ZOOM_STEP ** direction;
    this.onZoom(zoomedAt(this.current, this.clip, factor, left + across / 2, top + down / 2));
  }

  show(zoom) {
    this.current = zoom;
    this.stage.holder.toggleAttribute("data-zoomed", zoom !== null);
    const factor = zoom?.[0] ?? 1;
    const reset = document.getElementById("zoom-reset");
    reset.textContent = `${Math.round(factor * 100)}\u00a0%`;
    reset.ariaLabel = `Magnified to ${reset.textContent}; show the whole picture`;
    document.getElementById("zoom-out").disabled = factor <= 1;
    document.getElementById("zoom-in").disabled = factor >= MAX_ZOOM;
  }

  /** The page scrolls where there is nothing to make smaller. */
  _turn(event) {
    const point = this.stage.pointOf(event);
    if (!point || (!this.current && event.deltaY >= 0 && !event.ctrlKey)) return;
    event.preventDefault();
    const factor = Math.exp(-event.deltaY * ZOOM_WHEEL_SPEED * (event.ctrlKey ? 4 : 1));
    this.onZoom(zoomedAt(this.current, this.clip, factor, point.x, point.y));
  }

  _press(event) {
    if (event.button !== 0 || !this.stage.pointOf(event)) return;
    this.pointers.set(event.pointerId, event);
    this.stage.holder.setPointerCapture(event.pointerId);
  }

  /** One pointer drags the picture; two also magnify it by their distance. */
  _move(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const spread = () => {
      const [a, b = a] = [...this.pointers.values()];
      const middle = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
      return [middle, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)];
    };
    const [before, apart] = spread();
    this.pointers.set(event.pointerId, event);
    const [after, farther] = spread();
    const [from, to] = [before, after].map((at) => this.stage.pointOn(this.stage.panels[0], at));
    const moved = pannedBy(this.current, this.clip, from.x - to.x, from.y - to.y);
    if (this.pointers.size === 1) return void (moved && this.onZoom(moved));
    const at = this.stage.pointOf(after) ?? { x: this.clip.width / 2, y: this.clip.height / 2 };
    this.onZoom(zoomedAt(moved, this.clip, farther / Math.max(apart, 1), at.x, at.y));
  }

  /** With the focus on the pictures, arrow keys move the magnified part. */
  _key(event) {
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const direction = directions[event.key];
    if (!direction || !this.current || hasModifier(event)) return;
    event.preventDefault();
    event.stopPropagation();
    const [, , across, down] = visiblePart(this.current, this.clip);
    const [x, y] = direction;
    this.onZoom(pannedBy(this.current, this.clip, x * across * PAN_SHARE, y * down * PAN_SHARE));
  }
}
