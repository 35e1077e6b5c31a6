"use strict";
// An MP4 of frames that the browser encodes as H.264 (WebCodecs), with exact time stamps (ISO/IEC
// 14496-12). Not every browser has an encoder.

// Baseline profile: without frames that are stored in another order than they are shown.
const MP4_CODECS = ["avc1.420033", "avc1.42e033", "avc1.42001f"];
const MP4_BITS_PER_PIXEL = 0.25; // of each frame: text and edges stay sharp
const MP4_KEY_FRAMES = 30; // frames from one key frame to the next
const MAX_TICK = 2 ** 32 - 1;
const IDENTITY_MATRIX = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000];

/** A configuration for frames of this size that the browser can encode; undefined if it has none. */
async function mp4Configuration(width, height, framesPerSecond) {
  if (!globalThis.VideoEncoder) return undefined;
  const bitrate = Math.round(width * height * MP4_BITS_PER_PIXEL * Math.max(framesPerSecond, 5));
  for (const codec of MP4_CODECS) {
    const wanted = { codec, width, height, bitrate, framerate: framesPerSecond, avc: { format: "avc" } };
    const answer = await VideoEncoder.isConfigSupported(wanted).catch(() => ({ supported: false }));
    if (answer.supported) return wanted;
  }
  return undefined;
}

class Mp4Encoder {
  /** `timescale`: ticks per second of the durations that `add` takes. */
  constructor(configuration, timescale) {
    this.configuration = configuration;
    this.timescale = timescale;
    this.durations = [];
    this.samples = [];
    this.encoder = new VideoEncoder({
      output: (chunk, metadata) => this._take(chunk, metadata),
      error: (error) => (this.error = error),
    });
    this.encoder.configure(configuration);
  }

  /** Add the picture of a canvas, shown for `duration` ticks. */
  async add(canvas, duration) {
    const number = this.durations.length;
    // The encoder only counts; the file's time stamps come from the durations.
    const frame = new VideoFrame(canvas, { timestamp: number * 1000 });
    this.durations.push(duration);
    this.encoder.encode(frame, { keyFrame: number % MP4_KEY_FRAMES === 0 });
    frame.close();
    while (this.encoder.encodeQueueSize > 4 && !this.error) await wait(5);
    if (this.error) throw this.error;
  }

  _take(chunk, metadata) {
    const data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    const { description } = metadata?.decoderConfig ?? {};
    if (description) this.description = new Uint8Array(description.slice?.(0) ?? description);
    this.samples.push({ data, isKey: chunk.type === "key", number: chunk.timestamp / 1000 });
  }

  /** All bytes, as parts of a Blob. */
  async finish() {
    await this.encoder.flush();
    this.encoder.close();
    if (this.error) throw this.error;
    const isInOrder = this.samples.every(({ number }, i) => number === i);
    if (!isInOrder || this.samples.length !== this.durations.length || !this.description) {
      throw new Error("this browser's encoder changed the frames: use the command");
    }
    const head = mp4Box("ftyp", ascii("isom"), u32(512), ascii("isomiso2avc1mp41"));
    const size = this.samples.reduce((sum, { data }) => sum + data.length, 8);
    // The index comes first, so that players can start at once; its length does not depend on where
    // the samples are.
    const length = this._index(0).length;
    const index = this._index(head.length + length + 8);
    return [head, index, Uint8Array.from([...u32(size), ...ascii("mdat")]), ...this.samples.map((s) => s.data)];
  }

  _index(offset) {
    const { width, height } = this.configuration;
    const total = this.durations.reduce((sum, one) => sum + one, 0);
    if (total > MAX_TICK) throw new Error("the span is too long for an MP4: use the command");
    const times = [u32(0), u32(0)]; // created, changed: unknown
    const matrix = IDENTITY_MATRIX.flatMap(u32);
    const keys = this.samples.flatMap(({ isKey }, i) => (isKey ? [i + 1] : []));
    const table = mp4Box("stbl",
      mp4Full("stsd", 0, u32(1), mp4Box("avc1", zeros(6), u16(1), zeros(16), u16(width), u16(height),
        u32(0x480000), u32(0x480000), u32(0), u16(1), zeros(32), u16(24), [255, 255],
        mp4Box("avcC", this.description),
        mp4Box("colr", ascii("nclx"), u16(1), u16(1), u16(1), [0]))),
      mp4Full("stts", 0, u32(this.durations.length), this.durations.flatMap((one) => [...u32(1), ...u32(one)])),
      mp4Full("stss", 0, u32(keys.length), keys.flatMap(u32)),
      mp4Full("stsc", 0, u32(1), u32(1), u32(this.samples.length), u32(1)),
      mp4Full("stsz", 0, u32(0), u32(this.samples.length), this.samples.flatMap(({ data }) => u32(data.length))),
      mp4Full("stco", 0, u32(1), u32(offset)));
    const media = mp4Box("minf", mp4Full("vmhd", 1, zeros(8)),
      mp4Box("dinf", mp4Full("dref", 0, u32(1), mp4Full("url ", 1))), table);
    return mp4Box("moov",
      mp4Full("mvhd", 0, ...times, u32(this.timescale), u32(total), u32(0x10000), u16(0x100), zeros(10),
        matrix, zeros(24), u32(2)),
      mp4Box("trak",
        mp4Full("tkhd", 3, ...times, u32(1), u32(0), u32(total), zeros(16), matrix, u32(width << 16), u32(height << 16)),
        mp4Box("mdia",
          mp4Full("mdhd", 0, ...times, u32(this.timescale), u32(total), u16(0x55c4), u16(0)),
          mp4Full("hdlr", 0, u32(0), ascii("vide"), zeros(12), ascii("video\0")), media)));
  }
}

function mp4Box(name, ...contents) {
  const bytes = contents.flatMap((part) => [...part]);
  return Uint8Array.from([...u32(bytes.length + 8), ...ascii(name), ...bytes]);
}

/** A box of version 0 with flags. */
function mp4Full(name, flags, ...contents) {
  return mp4Box(name, u32(flags), ...contents);
}

function u16(value) {
  return [(value >> 8) & 255, value & 255];
}

function u32(value) {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

function zeros(number) {
  return new Array(number).fill(0);
}
