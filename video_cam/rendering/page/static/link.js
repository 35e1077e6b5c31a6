"use strict";
// The view in the address: #frame=123&class=2. Initial values are left out.

const LINKED = {
  frame: "frame_index",
  class: "class_id",
  method: "method",
  layer: "layer",
  detail: "detail",
  opacity: "opacity",
  colormap: "colormap",
  threshold: "threshold",
  normalize: "normalize",
  view: "view",
  loop: "loop",
  range: "range",
  zoom: "zoom",
  box: "box",
  dim: "dim",
  outline: "outline",
  contours: "contours",
};
const LISTS = { loop: 2, range: 2, zoom: 3, box: 4 }; // how many numbers they have
const LINK_DELAY = 200; // milliseconds; browsers limit how often the address may change

class ViewLink {
  /** `onLink(changes)` is called when the user follows a link to a view of this page. */
  constructor(rules, onLink) {
    this.rules = rules;
    this.initial = rules.initial;
    this.timer = undefined;
    window.addEventListener("hashchange", () => onLink({ ...this.initial, ...this.read() }));
  }

  /** The changes in the address, as far as they are possible. */
  read() {
    const changes = {};
    for (const [name, text] of new URLSearchParams(location.hash.slice(1))) {
      const key = LINKED[name];
      if (key) changes[key] = this._value(key, text);
    }
    return this.rules.possible(changes);
  }

  write(state) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const parts = Object.entries(LINKED)
        .filter(([, key]) => key === "frame_index" || this._text(state[key]) !== this._text(this.initial[key]))
        .map(([name, key]) => `${name}=${encodeURIComponent(this._text(state[key]))}`);
      try {
        history.replaceState(null, "", `#${parts.join("&")}`);
      } catch {
        // A page inside another page may have no address of its own.
      }
    }, LINK_DELAY);
  }

  _text(value) {
    return Array.isArray(value) ? value.join("-") : String(value);
  }

  _value(key, text) {
    if (key in LISTS) {
      const numbers = text.split("-").map(Number);
      return numbers.length === LISTS[key] && numbers.every(Number.isFinite) ? numbers : null;
    }
    const initial = this.initial[key];
    if (typeof initial === "boolean") return text === "true";
    return typeof initial === "number" ? Number(text) : text;
  }
}
