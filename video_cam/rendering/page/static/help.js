"use strict";
// The list of keys, which "?" opens.

const KEYS = [
  ["← →", "one frame back, forward"],
  ["shift ← →", "ten frames"],
  ["home end", "first, last frame"],
  ["page up, page down", "previous, next keyframe"],
  ["P, shift P", "next, previous peak of the map"],
  ["space", "play, pause"],
  ["[ ]", "the looped span begins, ends here"],
  ["L", "loop all frames, or stop looping"],
  ["T, shift T", "zoom the timeline in, out"],
  ["+ −", "magnify the picture more, less"],
  ["0", "the whole picture"],
  ["tab to the picture, then ← → ↑ ↓", "move what is magnified"],
  ["B", "draw a box, or end drawing"],
  ["← → ↑ ↓ while drawing", "move the box; with shift, its right and lower edge"],
  ["delete while drawing", "remove the box"],
  ["1 … 9", "class 1 … 9"],
  ["V", "next view"],
  ["F", "full screen"],
  ["S", "save the picture"],
  ["M", "mark the frame, with a note"],
  ["?", "this list"],
];
const POINTER = [
  ["wheel", "on the picture: magnify it; on the timeline: zoom it"],
  ["two fingers", "on the picture: magnify it"],
  ["drag", "on the picture: move what is magnified; on the timeline: move through the clip"],
  ["shift and drag", "on the picture: draw a box; on the timeline: choose the looped span"],
  ["shift and wheel", "on the timeline: move its range"],
  ["double click", "on the picture: the whole picture"],
];

class Help {
  constructor() {
    this.dialog = document.getElementById("help");
    for (const [list, rows] of [["keys", KEYS], ["pointer", POINTER]]) {
      for (const [keys, effect] of rows) {
        document
          .getElementById(list)
          .append(element("dt", {}, element("kbd", {}, keys)), element("dd", {}, effect));
      }
    }
    document.getElementById("help-open").onclick = () => this.open();
    document.getElementById("help-close").onclick = () => this.dialog.close();
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.dialog.close());
  }

  get isOpen() {
    return this.dialog.open;
  }

  open() {
    this.dialog.showModal();
  }
}
