"use strict";
// Keyboard control. Keys that the focused control uses itself are left to it.

const KEYS = [
  ["← →", "one frame back, forward"],
  ["shift ← →", "ten frames"],
  ["home end", "first, last frame"],
  ["page up, page down", "previous, next keyframe"],
  ["space", "play, pause"],
  ["[ ]", "the looped span begins, ends here"],
  ["L", "loop the whole clip, or stop looping"],
  ["1 … 9", "class 1 … 9"],
  ["V", "next view"],
  ["S", "save the picture"],
  ["M", "mark the frame, with a note"],
];

const TAKES_TEXT = 'select, textarea, input:not([type="checkbox"], [type="range"])';
const OWN_KEYS = {
  [TAKES_TEXT]: () => true,
  'input[type="range"]': (key) => /^(Arrow|Home|End|Page)/.test(key),
  'button, summary, a, input[type="checkbox"]': (key) => key === " " || key === "Enter",
};

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
    PageUp: () => app.gotoKeyframe(-1),
    PageDown: () => app.gotoKeyframe(1),
    " ": () => app.togglePlay(),
    "[": () => app.markSpan("first"),
    "]": () => app.markSpan("last"),
    l: () => app.toggleLoop(),
    v: () => app.nextView(),
    s: () => app.report(savePicture(app)),
    m: () => app.marks.markFrame(),
  };
  for (const [keys, effect] of KEYS) {
    document
      .getElementById("keys")
      .append(element("dt", {}, element("kbd", {}, keys)), element("dd", {}, effect));
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTaken = Object.entries(OWN_KEYS).some(
      ([selector, takes]) => event.target.matches?.(selector) && takes(event.key),
    );
    if (isTaken) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const digit = /^[1-9]$/.test(key) ? Number(key) : 0;
    const action = digit ? () => app.chooseClass(digit - 1) : actions[key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}
