"""Clips whose pictures are not decoded by FFmpeg: images, animations, arrays, medical files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np

from video_cam.video.color import RGBImage
from video_cam.video.levels import Levels
from video_cam.video.timeline import STILL_SECONDS, Timeline

NO_RATE = "the file has no frame rate: 25 frames per second are assumed"

Pictures = Callable[[int, int], Iterator[Callable[[], RGBImage]]]


@dataclass(frozen=True)
class PictureSource:
    """The pictures of a clip.

    Attributes:
        timeline: when they are shown.
        size: (width, height) of the first one; others may differ.
        pictures: [start, stop) -> functions that return uint8 (H, W, 3) RGB, one for each.
        is_still: one picture, not a moving clip.
        levels: which stored values are black and white; None for 8 bits.
        conversions: lines for readers of a result on what was chosen or assumed.
        problems: lines on what is missing.
    """

    timeline: Timeline
    size: tuple[int, int]
    pictures: Pictures
    is_still: bool = False
    levels: Levels | None = None
    conversions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def by_index(read: Callable[[int], RGBImage]) -> Pictures:
    """The pictures of a source that reads any of them at once."""

    def pictures(start: int, stop: int) -> Iterator[Callable[[], RGBImage]]:
        yield from (partial(read, index) for index in range(start, stop))

    return pictures


def at_rate(count: int, rate: Fraction) -> Timeline:
    """The time stamps of pictures at so many per second."""
    return Timeline(np.arange(count), 1 / rate, 1)


def at_usual_rate(count: int) -> Timeline:
    """The time stamps of pictures without a frame rate: 25 per second."""
    return Timeline(np.arange(count), STILL_SECONDS, 1)
