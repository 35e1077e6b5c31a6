"use strict";
// The contrast that heat takes from the picture is given back: what is darker or brighter than its
// surroundings stays so under the heat. overlay.py does the same.

const DETAIL_CELLS = 24; // brightness is compared with its mean over this many cells of the shorter side

class DetailCanvas {
  /** For pictures of this size; canvases of its own, as those that showed a file cannot be saved. */
  constructor(width, height) {
    this.gray = element("canvas", { width, height });
    this.halves = []; // smaller and smaller, as browsers take few pixels into account when they scale
    const shorter = () => Math.min(width, height);
    while (shorter() > DETAIL_CELLS) {
      const scale = Math.max(0.5, DETAIL_CELLS / shorter());
      [width, height] = [width, height].map((length) => Math.max(1, Math.round(length * scale)));
      this.halves.push(element("canvas", { width, height }));
    }
  }

  /**
   * Draw the details of the source on the heat that `context` shows, where `heat` is opaque. box: of the
   * heat on the canvas; whole: of the source, beyond the canvas where the picture is magnified.
   */
  draw(context, drawSource, heat, box, whole) {
    const { gray } = this;
    const { width, height } = gray;
    const details = gray.getContext("2d");
    this._grayOf(drawSource, [0, 0, width, height]);
    const opposite = this._opposite();
    if (whole[2] > width) {
      details.imageSmoothingEnabled = false;
      this._grayOf(drawSource, whole);
      details.imageSmoothingEnabled = true;
    }
    // Half of the brightness and half of the surroundings' opposite: gray where they are equal.
    details.globalCompositeOperation = "source-over";
    details.globalAlpha = 0.5;
    details.drawImage(opposite, ...whole);
    details.globalAlpha = 1;
    details.globalCompositeOperation = "destination-in";
    details.drawImage(heat, ...box);
    context.save();
    context.globalCompositeOperation = "hard-light";
    for (let times = 0; times < 2; times++) context.drawImage(gray, 0, 0);
    context.restore();
  }

  /** The brightness of the source. */
  _grayOf(drawSource, whole) {
    const { width, height } = this.gray;
    const details = this.gray.getContext("2d");
    details.globalCompositeOperation = "copy";
    drawSource(details, ...whole);
    details.globalCompositeOperation = "saturation"; // keeps the luminance
    details.fillStyle = "#808080";
    details.fillRect(0, 0, width, height);
  }

  /** The mean brightness of the surroundings, black for white. */
  _opposite() {
    let larger = this.gray;
    for (const canvas of this.halves) {
      const context = canvas.getContext("2d");
      context.globalCompositeOperation = "copy";
      context.drawImage(larger, 0, 0, canvas.width, canvas.height);
      larger = canvas;
    }
    if (larger === this.gray) {
      larger = element("canvas", { width: larger.width, height: larger.height });
      larger.getContext("2d").drawImage(this.gray, 0, 0);
    }
    const context = larger.getContext("2d");
    context.globalCompositeOperation = "difference";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, larger.width, larger.height);
    return larger;
  }
}
