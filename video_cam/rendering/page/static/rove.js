"use strict";
// A row of buttons as one tab stop: arrow keys move the focus within it.

/** buttons: in order; the tab stop is the one that had the focus last, or was named by `stop(button)`. */
function rove(list, buttons) {
  let current = buttons[0];
  const stop = (button) => {
    if (!button || button === current) return;
    current.tabIndex = -1;
    button.tabIndex = 0;
    current = button;
  };
  for (const button of buttons) button.tabIndex = button === current ? 0 : -1;
  list.addEventListener("focusin", ({ target }) => buttons.includes(target) && stop(target));
  list.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement);
    const targets = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 };
    if (at < 0 || !(event.key in targets) || hasModifier(event)) return;
    event.preventDefault();
    event.stopPropagation();
    buttons[targets[event.key]]?.focus();
  });
  return { stop };
}
