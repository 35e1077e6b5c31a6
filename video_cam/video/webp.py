"""Animated WebP, which PyAV's FFmpeg cannot read: its frames and durations, through Pillow."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError, first_line
from video_cam.utils.names import printable_path
from video_cam.video.color import RGBImage, over_black
from video_cam.video.limits import check_count, check_size
from video_cam.video.picture_source import PictureSource
from video_cam.video.timeline import Timeline

MILLISECOND = Fraction(1, 1000)
UNSPECIFIED_MS = 100  # how long browsers show a frame without a duration


def frame_durations(path: Path) -> list[int]:
    """The durations of an animated WebP's frames in milliseconds; empty for any other file.

    Raises:
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(12)
        if header[:4] != b"RIFF" or header[8:] != b"WEBP":
            return []
        return [duration for kind, duration in _chunks(file) if kind == b"ANMF"]


def open_webp(path: Path, durations: list[int], limits: LimitsConfig) -> PictureSource:
    """The pictures of an animated WebP.

    Args:
        durations: of its frames, in milliseconds.

    Raises:
        ClipError: for a file that is damaged or beyond the limits.
    """
    check_count(path, len(durations), limits)
    with path.open("rb") as file:
        size = _canvas_size(file.read(30))
    check_size(path, *size, limits)
    shown = [duration or UNSPECIFIED_MS for duration in durations]
    stamps = np.cumsum([0, *shown[:-1]])
    return PictureSource(
        Timeline(stamps, MILLISECOND, shown[-1]), size, partial(_pictures, path, limits)
    )


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Name of each chunk, and the duration that it has if it is a frame (RFC 9649, 2.7.1.1)."""
    while len(head := file.read(8)) == 8:
        size = struct.unpack("<I", head[4:])[0]
        body = file.read(min(size, 16))
        file.seek(size + size % 2 - len(body), 1)
        yield head[:4], int.from_bytes(body[12:15], "little")


def _canvas_size(start: bytes) -> tuple[int, int]:
    """(width, height) from the VP8X chunk, the first one of an animation (RFC 9649, 2.7)."""
    return (
        1 + int.from_bytes(start[24:27], "little"),
        1 + int.from_bytes(start[27:30], "little"),
    )


def _pictures(
    path: Path, limits: LimitsConfig, start: int, stop: int
) -> Iterator[Callable[[], RGBImage]]:
    """Frames build on the ones before them, so all are decoded in order."""
    for index, image in enumerate(_decoded(path, stop)):
        if index >= start:
            pixels = over_black(np.asarray(image.convert("RGBA")))
            yield partial(np.asarray, pixels)


def _decoded(path: Path, stop: int) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the number of pixels, which has been checked
            image = Image.open(path, formats=["WEBP"])
        with image:
            for index in range(stop):
                image.seek(index)
                image.load()
                yield image
    except (OSError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ClipError(
            f"{printable_path(path)}: a damaged WebP ({first_line(error)}); copy it again"
        ) from error
