"use strict";
// A box drawn by hand on the picture: with the pointer, or with the keyboard.

const BOX_STEPS = 50; // of the visible part's width, for each key
const BOX_HELP =
  "Drag a box on the picture, or move it by arrow keys, with Shift its size; Enter ends, Delete removes it.";

/** [left, top, right, bottom] in whole pixels of the source, at least one pixel; the corners may be swapped. */
function settledBox([x0, y0, x1, y1], { width, height }) {
  const side = (a, b, whole) => {
    const begin = Math.min(Math.max(Math.floor(Math.min(a, b)), 0), whole - 1);
    return [begin, Math.min(Math.max(Math.ceil(Math.max(a, b)), begin + 1), whole)];
  };
  const [[left, right], [top, bottom]] = [side(x0, x1, width), side(y0, y1, height)];
  return [left, top, right, bottom];
}

/** A box moved by whole pixels, within the picture. */
function movedBox([left, top, right, bottom], dx, dy, { width, height }) {
  const x = Math.min(Math.max(dx, -left), width - right);
  const y = Math.min(Math.max(dy, -top), height - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

class BoxTool {
  /** onBox(box) is called when the user changes the box, onMessage(text) when there is something to say. */
  constructor(stage, clip, { onBox, onMessage }) {
    this.stage = stage;
    this.clip = clip;
    this.onBox = onBox;
    this.onMessage = onMessage;
    this.box = null;
    this.zoom = null;
    this.active = false;
    this.button = document.getElementById("box");
    this.text = document.getElementById("box-text");
    this.clear = document.getElementById("box-clear");
    this.button.onclick = () => this.toggle();
    this.clear.onclick = () => this.remove();
    // Before those of the zoom and of the player, which leave what is taken.
    stage.holder.addEventListener("pointerdown", (event) => this._press(event), true);
    document.addEventListener("keydown", (event) => this._key(event), true);
  }

  /** Begin or end drawing; where there is no box, one appears in the middle. */
  toggle(active = !this.active) {
    this.active = active;
    this.button.setAttribute("aria-pressed", String(active));
    this.stage.holder.toggleAttribute("data-boxing", active);
    this.onMessage(active ? BOX_HELP : "");
    if (!active || this.box) return;
    const [left, top, across, down] = visiblePart(this.zoom, this.clip);
    const corners = [left + across / 4, top + down / 4, left + (3 * across) / 4, top + (3 * down) / 4];
    this.onBox(settledBox(corners, this.clip));
  }

  remove() {
    this.onBox(null);
    this.toggle(false);
  }

  /** Say how much heat lies in the box; returns the sentence. frame: the map at this moment. */
  show(box, zoom, map, frame, normalize) {
    [this.box, this.zoom] = [box, zoom];
    this.clear.hidden = !box;
    this.text.textContent = box ? boxSentence(box, map, frame, normalize) : "";
    return this.text.textContent;
  }

  _press(event) {
    const point = event.button === 0 && (this.active || event.shiftKey) && this.stage.pointOf(event);
    if (!point) return;
    event.preventDefault();
    event.stopPropagation();
    const { holder } = this.stage;
    holder.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const { x, y } = this.stage.pointOn(point.panel, moved);
      this.onBox(settledBox([point.x, point.y, x, y], this.clip));
    };
    const drop = () => {
      holder.removeEventListener("pointermove", move);
      holder.removeEventListener("lostpointercapture", drop);
    };
    holder.addEventListener("pointermove", move);
    holder.addEventListener("lostpointercapture", drop);
  }

  /** While a box is drawn, arrow keys move it, and with shift its right and lower edge. */
  _key(event) {
    if (!this.active || hasModifier(event) || takesKey(event.target, event.key)) return;
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const direction = directions[event.key];
    if (direction && this.box) this._nudge(direction, event.shiftKey);
    else if (event.key === "Enter" || event.key === "Escape") this.toggle(false);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  _nudge([x, y], isSize) {
    const [, , across] = visiblePart(this.zoom, this.clip);
    const step = Math.max(1, Math.round(across / BOX_STEPS));
    const [left, top, right, bottom] = this.box;
    const corner = [Math.max(right + x * step, left + 1), Math.max(bottom + y * step, top + 1)];
    this.onBox(
      isSize
        ? settledBox([left, top, ...corner], this.clip)
        : movedBox(this.box, x * step, y * step, this.clip),
    );
  }
}

/** What a box holds of the heat of a map at one frame. */
function boxSentence(box, map, frame, normalize) {
  const [left, top, right, bottom] = box;
  const where = `box of ${right - left}×${bottom - top} pixels at ${left}, ${top}`;
  if (frame === undefined) return `${where}: the map is loading`;
  const heat = new BoxHeat(map, box);
  if (!frame.seen || !heat.pixels) return `${where}: the network did not see it`;
  const share = shareOfHeat(map, box, frame.values);
  if (share === undefined) return `${where}: this frame has no heat`;
  const area = heat.pixels / new BoxHeat(map, map.box).pixels;
  const mean = heat.mean(frame.values) / fullHeat(map, frame, normalize);
  const heatHere = `${percent(share)} of this frame's heat in ${percent(area)} of what the network saw`;
  return `${where}: ${heatHere}, mean ${percent(mean)} of full heat`;
}

/** 0.123 -> "12.3 %" */
function percent(share) {
  return `${(100 * share).toFixed(1)}\u00a0%`;
}
