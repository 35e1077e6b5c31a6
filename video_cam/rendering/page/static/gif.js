"use strict";
// A GIF89a encoder: each frame has a palette of its own (median cut), compressed by LZW.

const GIF_TICKS = 100; // per second
const GIF_MIN_DELAY = 2; // ticks; browsers show a frame with a shorter delay for ten
const PALETTE_BITS = 8;
const MAX_CODES = 4096;
// Bayer's matrix of 4 x 4, halved: what is added to a pixel before it gets its colour.
const DITHER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5].map((value) => (value - 7.5) / 2);

/**
 * Which frames a GIF can show, and for how long: [position, ticks] pairs. `stamps`: when each frame
 * appears, and at the end when the last one disappears, in units of numerator / denominator seconds.
 * gif.py counts in the same way.
 */
function gifDelays(stamps, numerator, denominator) {
  const ticks = stamps.map((stamp) =>
    Math.floor((2 * GIF_TICKS * (stamp - stamps[0]) * numerator + denominator) / (2 * denominator)),
  );
  const kept = [];
  for (let i = 0; i + 1 < ticks.length; i++) {
    if (!kept.length || ticks[i] - ticks[kept.at(-1)] >= GIF_MIN_DELAY) kept.push(i);
  }
  return kept.map((position, i) => {
    const stop = i + 1 < kept.length ? ticks[kept[i + 1]] : ticks.at(-1);
    return [position, Math.max(stop - ticks[position], GIF_MIN_DELAY)];
  });
}

class GifEncoder {
  constructor(width, height) {
    this.width = width;
    this.size = [...littleEndian(width), ...littleEndian(height)];
    // Header, size, no palette for all frames; then the extension that lets it play for ever.
    const loop = [0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, 0, 0, 0];
    this.parts = [Uint8Array.from([...ascii("GIF89a"), ...this.size, 0x70, 0, 0, ...loop])];
  }

  /** Add a frame: RGBA pixels, shown for `delay` ticks. */
  add(pixels, delay) {
    const { palette, indices } = quantised(pixels, this.width);
    const control = [0x21, 0xf9, 4, 0, ...littleEndian(delay), 0, 0];
    const image = [0x2c, 0, 0, 0, 0, ...this.size, 0x80 | (PALETTE_BITS - 1)];
    this.parts.push(Uint8Array.from([...control, ...image]), palette, lzw(indices));
  }

  get numBytes() {
    return this.parts.reduce((sum, part) => sum + part.length, 0);
  }

  /** All bytes, as parts of a Blob. */
  finish() {
    return [...this.parts, Uint8Array.of(0x3b)];
  }
}

function littleEndian(value) {
  return [value & 255, value >> 8];
}

function ascii(text) {
  return [...text].map((letter) => letter.charCodeAt(0));
}

/** Up to 256 colours for the RGBA pixels of rows of `width`, and the number of each pixel's colour. */
function quantised(pixels, width) {
  const bins = new Map(); // -> [pixels, sums of red, green and blue]
  for (let at = 0; at < pixels.length; at += 4) {
    const key = binOf(pixels[at], pixels[at + 1], pixels[at + 2]);
    let bin = bins.get(key);
    if (bin === undefined) bins.set(key, (bin = [0, 0, 0, 0]));
    bin[0]++;
    for (const i of [1, 2, 3]) bin[i] += pixels[at + i - 1];
  }
  const colours = medianCut([...bins.values()], 2 ** PALETTE_BITS).map(meanColour);
  const palette = new Uint8Array(3 * 2 ** PALETTE_BITS);
  palette.set(colours.flat());
  const numbers = new Int16Array(2 ** 15).fill(-1); // bin -> its nearest colour, found when needed
  const indices = new Uint8Array(pixels.length / 4);
  for (let i = 0, at = 0; at < pixels.length; i++, at += 4) {
    // Ordered dithering: between two frames it stays where it is, so that nothing flickers.
    const shift = DITHER[((Math.floor(i / width) & 3) << 2) | (i % width & 3)];
    const key = binOf(...[0, 1, 2].map((c) => Math.min(Math.max(pixels[at + c] + shift, 0), 255)));
    if (numbers[key] < 0) numbers[key] = nearestColour(colours, key);
    indices[i] = numbers[key];
  }
  return { palette, indices };
}

/** 5 bits of each channel. */
function binOf(red, green, blue) {
  return ((red >> 3) << 10) | ((green >> 3) << 5) | (blue >> 3);
}

function meanColour(bins) {
  const total = bins.reduce((sum, bin) => sum.map((value, i) => value + bin[i]), [0, 0, 0, 0]);
  return [1, 2, 3].map((i) => Math.round(total[i] / total[0]));
}

function nearestColour(colours, key) {
  const middle = [10, 5, 0].map((shift) => ((key >> shift) & 31) * 8 + 4);
  let [best, least] = [0, Infinity];
  colours.forEach((colour, number) => {
    const distance = middle.reduce((sum, value, i) => sum + (value - colour[i]) ** 2, 0);
    if (distance < least) [best, least] = [number, distance];
  });
  return best;
}

/** Heckbert, "Color image quantization for frame buffer display" (1982): halve the widest box. */
function medianCut(bins, most) {
  const boxes = [measured(bins)];
  while (boxes.length < most) {
    const widest = boxes.reduce((best, box) => (box.weight > best.weight ? box : best));
    if (widest.weight === 0) break;
    const sorted = widest.bins.toSorted((a, b) => a[widest.channel] / a[0] - b[widest.channel] / b[0]);
    let half = sorted.reduce((sum, bin) => sum + bin[0], 0) / 2;
    let cut = 0;
    while (cut + 1 < sorted.length && (cut === 0 || half > 0)) half -= sorted[cut++][0];
    boxes.splice(boxes.indexOf(widest), 1, measured(sorted.slice(0, cut)), measured(sorted.slice(cut)));
  }
  return boxes.map((box) => box.bins);
}

/** A box with the channel in which it is widest; its weight is 0 where it cannot be halved. */
function measured(bins) {
  let [channel, width, pixels] = [1, 0, 0];
  for (const one of [1, 2, 3]) {
    let [low, high] = [255, 0];
    for (const bin of bins) {
      const mean = bin[one] / bin[0];
      if (mean < low) low = mean;
      if (mean > high) high = mean;
    }
    if (high - low > width) [channel, width] = [one, high - low];
  }
  for (const bin of bins) pixels += bin[0];
  return { bins, channel, weight: bins.length > 1 ? width * Math.sqrt(pixels) : 0 };
}

/** The image data of a frame: LZW codes in blocks of up to 255 bytes. */
function lzw(indices) {
  const [clear, end] = [2 ** PALETTE_BITS, 2 ** PALETTE_BITS + 1];
  const bytes = [];
  let [held, numHeld, size, next] = [0, 0, PALETTE_BITS + 1, end + 1];
  const table = new Int16Array(MAX_CODES * 256).fill(-1); // code and next index -> longer code
  const emit = (code) => {
    held |= code << numHeld;
    for (numHeld += size; numHeld >= 8; numHeld -= 8, held >>>= 8) bytes.push(held & 255);
  };
  emit(clear);
  let code = indices[0];
  for (let i = 1; i < indices.length; i++) {
    const place = code * 256 + indices[i];
    if (table[place] >= 0) {
      code = table[place];
      continue;
    }
    emit(code);
    code = indices[i];
    if (next < MAX_CODES) {
      if (next === 2 ** size) size++;
      table[place] = next++;
    } else {
      emit(clear);
      table.fill(-1);
      [size, next] = [PALETTE_BITS + 1, end + 1];
    }
  }
  emit(code);
  if (next === 2 ** size && size < 12) size++;
  emit(end);
  if (numHeld > 0) bytes.push(held & 255);
  const blocks = [PALETTE_BITS];
  for (let at = 0; at < bytes.length; at += 255) {
    const length = Math.min(255, bytes.length - at);
    blocks.push(length);
    for (let i = at; i < at + length; i++) blocks.push(bytes[i]);
  }
  return Uint8Array.from([...blocks, 0]);
}
