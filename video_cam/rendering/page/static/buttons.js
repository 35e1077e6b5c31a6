"use strict";
// The actions of the buttons below the picture.

function listenToButtons(app) {
  const { timeline } = app;
  const move = (frames) => app.set({ frame_index: timeline.clamp(app.state.frame_index + frames) });
  const actions = {
    first: () => app.goto(timeline.first),
    back10: () => move(-10),
    back: () => move(-1),
    play: () => app.togglePlay(),
    forward: () => move(1),
    forward10: () => move(10),
    last: () => app.goto(timeline.last),
    "peak-back": () => gotoPeak(app, -1),
    "peak-forward": () => gotoPeak(app, 1),
    from: () => app.markSpan("first"),
    to: () => app.markSpan("last"),
    loop: () => app.toggleLoop(),
    save: () => app.report(savePicture(app)),
    copy: () => app.report(copyPicture(app)),
    fullscreen: () => app.report(toggleFullscreen()),
    share: () => app.report(copyLink()),
  };
  for (const [id, action] of Object.entries(actions)) {
    document.getElementById(id).addEventListener("click", action);
  }
  document.getElementById("speed").onchange = ({ target }) =>
    (app.video.playbackRate = Number(target.value));
  const sound = document.getElementById("sound");
  if (sound) sound.onchange = () => (app.video.muted = !sound.checked);
}
