"""A GIF of drawn frames whose delays follow the time stamps of the source."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
from PIL import Image

from video_cam.errors import UsageError
from video_cam.rendering.size_limit import MIN_SIDE, next_scale, size_text
from video_cam.utils.files import write_atomically
from video_cam.video.color import RGBImage

TICKS_PER_SECOND = 100  # of a GIF
MIN_DELAY = 2  # ticks; browsers show a frame with a shorter delay for ten
COLOURS = 256
# A picture that takes less than one bit for each pixel is rare. The first attempt is not larger
# than that, which also bounds the memory: Pillow holds one byte for each pixel of all frames.
PIXELS_PER_BYTE = 8


def gif_delays(seconds: Sequence[Fraction]) -> dict[int, int]:
    """The frames that a GIF can show, and for how long.

    Args:
        seconds: when each frame appears, rising, and at the end when the last one disappears.

    Returns:
        Position of the frame -> its delay in ticks, at least MIN_DELAY. Frames that are shown for
        less are left out; what is rounded is the time of a frame, so that errors do not add up.
    """
    exact = [(instant - seconds[0]) * TICKS_PER_SECOND for instant in seconds]
    ticks = [math.floor(instant + Fraction(1, 2)) for instant in exact]
    kept: list[int] = []
    for position, tick in enumerate(ticks[:-1]):
        if not kept or tick - ticks[kept[-1]] >= MIN_DELAY:
            kept.append(position)
    stops = [*(ticks[position] for position in kept[1:]), ticks[-1]]
    pairs = zip(kept, stops, strict=True)
    return {position: max(stop - ticks[position], MIN_DELAY) for position, stop in pairs}


def write_gif(
    path: Path,
    frames: Callable[[], Iterator[RGBImage]],
    delays: Sequence[int],
    size: tuple[int, int],
    max_bytes: int,
) -> tuple[int, int]:
    """Write a GIF that plays for ever, scaled down where it would be too large.

    Args:
        path: of the file, which appears whole or not at all.
        frames: gives all frames, uint8 (H, W, 3), each time it is called.
        delays: of the frames, in ticks.
        size: (width, height) in pixels at which they are shown where the limit allows.
        max_bytes: of the file.

    Returns:
        (width, height) of the pictures in it.

    Raises:
        UsageError: where it is too large even with the smallest pictures.
        OSError: where it cannot be written.
    """
    pixels = len(delays) * size[0] * size[1]
    scale = min(1.0, math.sqrt(PIXELS_PER_BYTE * max_bytes / pixels))
    while True:
        scale = max(scale, min(1.0, MIN_SIDE / max(size)))
        scaled = (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1))
        data = _encode(frames(), delays, scaled)
        if len(data) <= max_bytes:
            write_atomically(path, data)
            return scaled
        if max(scaled) <= MIN_SIDE:
            raise UsageError(
                f"a GIF of {len(delays)} frames takes {size_text(len(data))} even at "
                f"{scaled[0]}x{scaled[1]} pixels, and {size_text(max_bytes)} are allowed: choose "
                "a shorter span, mp4 instead of gif, or a larger --max-size"
            )
        scale = next_scale(scale, len(data), max_bytes)


def _encode(frames: Iterator[RGBImage], delays: Sequence[int], size: tuple[int, int]) -> bytes:
    """The bytes of the GIF; each frame has a palette of its own."""
    pictures = (_with_palette(frame, size) for frame in frames)
    buffer = io.BytesIO()
    next(pictures).save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pictures,
        duration=[delay * 1000 // TICKS_PER_SECOND for delay in delays],  # in milliseconds
        loop=0,
    )
    return buffer.getvalue()


def _with_palette(frame: RGBImage, size: tuple[int, int]) -> Image.Image:
    height, width = frame.shape[:2]
    if size != (width, height):
        is_smaller = size[0] * size[1] < width * height
        way = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
        frame = cv2.resize(frame, size, interpolation=way)
    return Image.fromarray(frame).quantize(COLOURS, Image.Quantize.MEDIANCUT)
