"use strict";
// From a signed map to colours over the box the network saw: interpolate linearly between cell
// centres (or take the nearest), remove negative values, normalise, colour.

/** For `count` equal samples of the pixels [start, stop): the cell before and its neighbour's share. */
function interpolation(centres, start, stop, count, nearest) {
  const before = new Uint16Array(count);
  const share = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const pixel = start + ((i + 0.5) * (stop - start)) / count - 0.5;
    let cell = 0;
    while (cell < centres.length - 2 && centres[cell + 1] <= pixel) cell++;
    const gap = centres.length > 1 ? centres[cell + 1] - centres[cell] : 1;
    const linear = Math.min(Math.max((pixel - centres[cell]) / (gap || 1), 0), 1);
    before[i] = cell;
    share[i] = nearest ? Math.floor(linear + 0.5) : linear;
  }
  return { before, share };
}

/** The signed map values at the samples of `interpolation` for rows and columns, row by row. */
function sampled(map, rows, columns, values, samples) {
  const across = map.x.length;
  const below = map.y.length > 1 ? across : 0;
  const width = columns.before.length;
  const line = new Float32Array(across + 1);
  for (let y = 0, out = 0; y < rows.before.length; y++) {
    const above = rows.before[y] * across;
    const share = rows.share[y];
    for (let x = 0; x < across; x++) {
      const value = values[above + x];
      line[x] = value + share * (values[above + below + x] - value);
    }
    line[across] = line[across - 1];
    for (let x = 0; x < width; x++) {
      const cell = columns.before[x];
      samples[out++] = line[cell] + columns.share[x] * (line[cell + 1] - line[cell]);
    }
  }
  return samples;
}

/** The map value of full heat; of the parts of a map that of the map, so that they can be compared. */
function fullHeat(map, frame, normalize) {
  if (normalize === "frame" && !map.is_part) return frame.values.reduce((a, b) => Math.max(a, b), 0);
  return normalize === "video" ? map.peak : frame.windowPeak;
}

const OPAQUE_HEAT = 0.7;

/** How opaque heat is, as a share of full heat's opacity; overlay.py has the same curve. */
function opacityShare(heat) {
  const x = Math.min(heat / OPAQUE_HEAT, 1);
  return x * x * (3 - 2 * x);
}

/** 256 colours with their opacities, as little-endian RGBA words. */
function palette(colours, opacity, threshold) {
  const bytes = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level++) {
    bytes.set(colours.subarray(level * 3, level * 3 + 3), level * 4);
    bytes[level * 4 + 3] = level / 255 < threshold ? 0 : opacity(level / 255) * 255;
  }
  return new Uint32Array(bytes.buffer);
}

/** A canvas that holds the box of one map, to be drawn over the frame. */
class HeatCanvas {
  /** `scale`: canvas pixels for one source pixel. */
  constructor(map, scale) {
    const [left, top, right, bottom] = map.box;
    this.map = map;
    this.canvas = document.createElement("canvas");
    this.canvas.width = Math.max(1, Math.round((right - left) * scale));
    this.canvas.height = Math.max(1, Math.round((bottom - top) * scale));
    this.columns = interpolation(map.x, left, right, this.canvas.width, map.nearest);
    this.rows = interpolation(map.y, top, bottom, this.canvas.height, map.nearest);
    this.context = this.canvas.getContext("2d");
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.words = new Uint32Array(this.image.data.buffer);
    this.samples = new Float32Array(this.words.length);
  }

  /** Draw the map at one frame; returns the canvas. */
  draw(frame, normalize, colours) {
    const peak = fullHeat(this.map, frame, normalize);
    const toLevel = peak > 0 ? 255 / peak : 0;
    const samples = sampled(this.map, this.rows, this.columns, frame.values, this.samples);
    for (let i = 0; i < samples.length; i++) {
      const level = samples[i] * toLevel + 0.5;
      this.words[i] = colours[level < 0 ? 0 : level > 255 ? 255 : level | 0];
    }
    this.context.putImageData(this.image, 0, 0);
    return this.canvas;
  }
}

/** The mean positive value of a map, in map units. */
function mass(frame) {
  if (!frame?.seen) return 0;
  return frame.values.reduce((sum, value) => sum + Math.max(value, 0), 0) / frame.values.length;
}
