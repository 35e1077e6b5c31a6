"use strict";
// The player on the whole screen, and the lines above it that fold on a small one.

const SMALL_SCREEN = "(max-width: 36rem)"; // page.css has the same width

/** Resolves with what to say: nothing. */
async function toggleFullscreen() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.querySelector(".viewer").requestFullscreen();
  return "";
}

function prepareFullscreen() {
  const button = document.getElementById("fullscreen");
  button.hidden = !document.fullscreenEnabled; // phones of one maker have none
  document.addEventListener("fullscreenchange", () => {
    button.setAttribute("aria-pressed", String(document.fullscreenElement !== null));
  });
}

/** Facts and notes are open on a wide screen, and folded at first on a small one. */
function foldFacts() {
  const small = matchMedia(SMALL_SCREEN);
  const fold = () => (document.getElementById("about").open = !small.matches);
  small.addEventListener("change", fold);
  fold();
}
