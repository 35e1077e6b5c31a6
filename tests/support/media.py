"""Small clips for tests, made with PyAV: pictures, containers, sound, damage; and their frames."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from video_cam.video.audio import SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.reader import Frame, FrameReader
from video_cam.video.timeline import Timeline
from video_cam.video.writer import VideoFormat, VideoWriter

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (230, 230, 230)

# Display matrices (a, b, c, d) by their effect on the stored picture.
MATRICES = {
    "as stored": (1, 0, 0, 1),
    "quarter right": (0, 1, -1, 0),
    "half": (-1, 0, 0, -1),
    "quarter left": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "anti-transposed": (0, -1, -1, 0),
}


def moving_square(num_frames: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """uint8 (H, W, 3) frames: a white square that moves over a dark colour ramp."""
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([x * 90 // width, y * 90 // height, (x + y) * 0 + 60], axis=-1)
    frames = []
    for index in range(num_frames):
        frame = ramp.astype(np.uint8)
        left = (index * 3) % max(1, width - 8)
        frame[height // 4 : height // 4 + 8, left : left + 8] = 240
        frames.append(frame)
    return frames


def corners(width: int = 64, height: int = 48) -> np.ndarray:
    """uint8 (H, W, 3): red top left, green top right, blue bottom left, white bottom right."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = RED
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, : width // 2] = BLUE
    picture[height // 2 :, width // 2 :] = WHITE
    return picture


def corner_names(picture: np.ndarray) -> tuple[str, str, str, str]:
    """The colours nearest to the picture's top left, top right, bottom left, bottom right."""
    names = {"red": RED, "green": GREEN, "blue": BLUE, "white": WHITE}
    height, width = picture.shape[:2]
    rows, columns = (height // 8, height - height // 8 - 1), (width // 8, width - width // 8 - 1)

    def nearest(pixel: np.ndarray) -> str:
        return min(names, key=lambda name: np.abs(pixel.astype(int) - names[name]).sum())

    found = [nearest(picture[row, column]) for row in rows for column in columns]
    return (found[0], found[1], found[2], found[3])


@dataclass(frozen=True)
class Encoding:
    """How ``write_clip`` encodes; the container follows from the file's name.

    Attributes:
        pts: when each frame appears, in ticks; None for 0, 1, 2, ...
        time_base: seconds per tick.
        codec, pix_fmt, options: of the video stream, as FFmpeg names them.
        colorspace: of YUV formats.
        audio: codec of a tone that lasts as long as the video; None for no sound.
        audio_rate: in Hz.
    """

    pts: Sequence[int] | None = None
    time_base: Fraction = Fraction(1, 25)
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    colorspace: Colorspace = Colorspace.ITU601
    sample_aspect_ratio: Fraction | None = None
    audio: str | None = None
    audio_rate: int = 48000
    audio_channels: int = 1
    container_options: dict[str, str] = field(default_factory=dict)

    @property
    def color_range(self) -> ColorRange:
        is_full = self.pix_fmt.startswith(("yuvj", "gray", "rgb", "bgr"))
        is_full = is_full or self.options.get("color_range") == "pc"
        return ColorRange.JPEG if is_full else ColorRange.MPEG


def write_clip(path: Path | str, frames: Sequence[np.ndarray] | int = 10, **encoding: Any) -> Path:
    """Write a clip.

    Args:
        path: its suffix decides the container.
        frames: uint8 (H, W, 3) RGB each, or the number of frames of ``moving_square``.
        encoding: the fields of ``Encoding``.
    """
    how = Encoding(**encoding)
    pictures = moving_square(frames) if isinstance(frames, int) else list(frames)
    stamps = list(range(len(pictures))) if how.pts is None else list(how.pts)
    with av.open(str(path), "w", container_options=how.container_options) as output:
        stream = _add_video(output, how, *pictures[0].shape[:2])
        sound = None
        if how.audio:
            sound = _add_tone(output, how.audio, how.audio_rate, how.audio_channels)
        for picture, stamp in zip(pictures, stamps, strict=True):
            frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=how.pix_fmt,
                dst_colorspace=how.colorspace,
                src_color_range=ColorRange.JPEG,
                dst_color_range=how.color_range,
            )
            frame.pts, frame.time_base = stamp, how.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            seconds = (stamps[-1] + 1) * how.time_base
            _mux_tone(output, sound, float(seconds))
    return Path(path)


def _add_video(output: OutputContainer, how: Encoding, height: int, width: int) -> VideoStream:
    rate = Fraction(1 / how.time_base).limit_denominator(10**5)
    stream = output.add_stream(how.codec, rate=rate, options=dict(how.options))
    stream.width, stream.height, stream.pix_fmt = width, height, how.pix_fmt
    stream.time_base = stream.codec_context.time_base = how.time_base
    if how.sample_aspect_ratio is not None:
        stream.codec_context.sample_aspect_ratio = how.sample_aspect_ratio
    return stream


CHANNEL_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}  # number of channels -> FFmpeg's name


def _add_tone(output: OutputContainer, codec: str, rate: int, channels: int) -> AudioStream:
    stream = output.add_stream(codec, rate=rate)
    stream.layout = CHANNEL_LAYOUTS[channels]
    return stream


def _mux_tone(output: OutputContainer, stream: AudioStream, seconds: float) -> None:
    """Encode a 440 Hz tone in pieces of 1024 samples."""
    rate, channels = stream.rate, stream.codec_context.layout.nb_channels
    times = np.arange(round(seconds * rate)) / rate
    wave = (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
    for start in range(0, len(wave), 1024):
        piece = np.repeat(wave[start : start + 1024], channels)[None]
        frame = AudioFrame.from_ndarray(piece, format="s16", layout=CHANNEL_LAYOUTS[channels])
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def write_sound(path: Path | str, codec: str = "aac", seconds: float = 0.5) -> Path:
    """A file that holds a tone and no picture."""
    with av.open(str(path), "w") as output:
        _mux_tone(output, _add_tone(output, codec, 48000, 1), seconds)
    return Path(path)


def turn_mp4(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Set the display matrix of an mp4's first track, as a phone held that way does."""
    data = bytearray(path.read_bytes())
    box = data.index(b"tkhd")
    version = data[box + 4]
    # version and flags, times, track, reserved, duration; then reserved, layer, group, volume.
    start = box + 4 + 4 + (32 if version == 1 else 20) + 16
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, start, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def cut_with_edit_list(source: Path, target: Path, start_seconds: Fraction) -> None:
    """Copy an mp4 from ``start_seconds`` on without encoding.

    The copy begins at the key frame before; an edit list hides the frames up to the start.
    """
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        stream = container.streams.video[0]
        copied = output.add_stream_from_template(stream)
        start = round(start_seconds / stream.time_base)
        container.seek(start, stream=stream)
        for packet in container.demux(stream):
            if packet.size:
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
                packet.stream = copied
                output.mux(packet)


def cut_file(path: Path, keep: float) -> None:
    """Cut the end off a file, as a broken download does; ``keep`` is the part that remains."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def damage_packets(path: Path, numbers: Sequence[int]) -> None:
    """Overwrite these video packets of a file with zeros."""
    data = bytearray(path.read_bytes())
    for position, size in _places(path, numbers):
        data[position : position + size] = bytes(size)
    path.write_bytes(data)


def flip_bits(path: Path, numbers: Sequence[int], seed: int = 0) -> None:
    """Flip a bit in every tenth byte of the second half of these video packets of a file.

    As a rule a decoder still gives a frame for such a packet, with wrong pixels in it.
    """
    rng = random.Random(seed)
    data = bytearray(path.read_bytes())
    for position, size in _places(path, numbers):
        for place in range(size // 2, size - 16, 10):
            data[position + place] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _places(path: Path, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Position and size in bytes of these video packets of a file."""
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    chosen = []
    for number in numbers:
        position, size = places[number]
        assert position is not None
        chosen.append((position, size))
    return chosen


def moving_texture(num_frames: int, width: int = 128, height: int = 96) -> list[np.ndarray]:
    """uint8 (H, W, 3) frames: random tiles that move to the right, so that packets are not tiny."""
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    picture = np.kron(tiles, np.ones((8, 8, 1), np.uint8))
    return [np.roll(picture, 3 * index, 1) for index in range(num_frames)]


def stamps_seconds(path: Path | str) -> list[Fraction]:
    """The exact time stamps of a file's frames as PyAV decodes them, in rising order."""
    with av.open(str(path)) as container:
        return sorted(f.pts * f.time_base for f in container.decode(video=0) if f.pts is not None)


def audio_packets(path: Path | str) -> list[bytes]:
    """The bytes of a file's audio packets, in order."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def read_frames(
    path: Path | str, start_index: int = 0, stop_index: int | None = None
) -> Iterator[Frame]:
    """The clip's frames [start_index, stop_index), decoded from the beginning."""
    with FrameReader(path, start_index, stop_index) as reader:
        yield from reader


def read_all(path: Path | str) -> FrameReader:
    """A reader that has decoded all frames of the clip."""
    with FrameReader(path) as reader:
        for _ in reader:
            pass
    return reader


def is_same_timeline(one: Timeline, other: Timeline) -> bool:
    """Whether both have as many frames, at the same exact times."""
    return one.time_base == other.time_base and np.array_equal(one.pts, other.pts)


def write_copy(source: Path, target: Path, sound: SoundSpan | None = None) -> VideoWriter:
    """Write all frames of a clip again, with ``VideoWriter``."""
    clip = Clip.open(source)
    info, timeline = clip.info, clip.timeline
    form = VideoFormat(
        info.width, info.height, timeline.time_base, info.frame_rate, info.sample_aspect_ratio
    )
    with VideoWriter(target, form, sound) as writer, clip.frames() as frames:
        for frame in frames:
            writer.write(frame.rgb(), frame.pts, timeline.duration_ticks(frame.index))
    return writer


def write_gray16(path: Path, pictures: Sequence[np.ndarray], codec: str) -> Path:
    """Write a clip of uint16 (H, W) pictures without loss."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.height, stream.width = pictures[0].shape
        stream.pix_fmt = "gray16le"
        for index, picture in enumerate(pictures):
            frame = VideoFrame.from_ndarray(picture, format="gray16le")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path
