"use strict";
// Keyboard control. Keys that the focused control uses itself are left to it.

const TAKES_TEXT = 'select, textarea, input:not([type="checkbox"], [type="range"])';
const OWN_KEYS = {
  [TAKES_TEXT]: () => true,
  'input[type="range"]': (key) => /^(Arrow|Home|End|Page)/.test(key),
  'button, summary, a, input[type="checkbox"]': (key) => key === " " || key === "Enter",
};

/** Whether a control uses a key itself. */
function takesKey(target, key) {
  return Object.entries(OWN_KEYS).some(([selector, takes]) => target.matches?.(selector) && takes(key));
}

/** Whether a key is held that makes a command of the browser. */
function hasModifier(event) {
  return event.ctrlKey || event.metaKey || event.altKey;
}

/** A control that was used with the mouse loses the focus, so that keys control the player again. */
function releaseFocus() {
  let byPointer = false;
  const leave = ({ target }) => byPointer && target.closest("button, select, input")?.blur();
  document.addEventListener("pointerdown", () => (byPointer = true), true);
  document.addEventListener("keydown", () => (byPointer = false), true);
  document.addEventListener("change", leave);
  document.addEventListener("click", (event) => event.target.closest("button") && leave(event));
}

function listenToKeys(app) {
  releaseFocus();
  const step = (event) => (event.shiftKey ? 10 : 1);
  const move = (frames) => app.set({ frame_index: app.timeline.clamp(app.state.frame_index + frames) });
  const actions = {
    ArrowLeft: (event) => move(-step(event)),
    ArrowRight: (event) => move(step(event)),
    Home: () => app.goto(app.timeline.first),
    End: () => app.goto(app.timeline.last),
    PageUp: () => gotoKeyframe(app, -1),
    PageDown: () => gotoKeyframe(app, 1),
    " ": () => app.togglePlay(),
    "[": () => app.markSpan("first"),
    "]": () => app.markSpan("last"),
    l: () => app.toggleLoop(),
    v: () => app.nextView(),
    s: () => app.report(savePicture(app)),
    m: () => app.marks.markFrame(),
    p: (event) => gotoPeak(app, event.shiftKey ? -1 : 1),
    t: (event) => app.range.zoom(event.shiftKey ? RANGE_FACTOR : 1 / RANGE_FACTOR),
    "+": () => app.zoom.step(1),
    "=": () => app.zoom.step(1), // the key of "+" without shift
    "-": () => app.zoom.step(-1),
    0: () => app.set({ zoom: null }),
    b: () => app.box.toggle(),
    f: () => app.report(toggleFullscreen()),
    "?": () => app.help.open(),
  };
  document.addEventListener("keydown", (event) => {
    if (hasModifier(event) || app.help.isOpen || takesKey(event.target, event.key)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const digit = /^[1-9]$/.test(key) ? Number(key) : 0;
    const action = digit ? () => app.chooseClass(digit - 1) : actions[key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}
