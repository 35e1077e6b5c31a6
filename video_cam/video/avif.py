"""AVIF stills whose colour tags OpenCV does not use: wide gamut, HDR, the matrix of BT.709."""

from __future__ import annotations

import struct
from pathlib import Path

from av.video.frame import VideoFrame

from video_cam.config import LimitsConfig
from video_cam.video.color import RGBImage, to_rgb
from video_cam.video.color_tags import FULL_RANGE, LIMITED_RANGE, ColorTags, conversion_notes
from video_cam.video.container import open_video
from video_cam.video.orientation import orientation_of, turn_upright, upright_size
from video_cam.video.paths import no_frame_error

_TAGS = b"colrnclx"  # ISO/IEC 14496-12, 12.1.5: primaries, curve, matrix, range
_ALPHA = b"auxiliary:alpha"  # a picture of its own, which FFmpeg does not join with the colours
_SEARCHED = 1 << 14  # bytes: the tags stand before the picture
_USED_BY_OPENCV = (0, 2, 5, 6)  # matrices


def tags_in_avif(encoded: bytes) -> ColorTags | None:
    """The colour tags of an AVIF file; None for other files, and without tags."""
    place = encoded.find(_TAGS, 0, _SEARCHED)
    if encoded[4:8] != b"ftyp" or b"avif" not in encoded[8:64] or place < 0:
        return None
    try:
        fields = struct.unpack_from(">HHHB", encoded, place + len(_TAGS))
    except struct.error:
        return None
    primaries, transfer, matrix, flags = fields
    return ColorTags(matrix, primaries, transfer, FULL_RANGE if flags >> 7 else LIMITED_RANGE)


def needs_ffmpeg(encoded: bytes) -> bool:
    """Whether an image file is an opaque AVIF with tags that OpenCV does not use."""
    if encoded.find(_ALPHA, 0, _SEARCHED) >= 0:
        return False
    tags = tags_in_avif(encoded)
    return tags is not None and not (tags.is_plain and tags.matrix in _USED_BY_OPENCV)


def read_avif(path: Path, limits: LimitsConfig, size: tuple[int, int]) -> RGBImage | None:
    """The picture as its tags mean it, upright; None where FFmpeg finds one of another size.

    FFmpeg gives single tiles of a picture that is made of several.

    Args:
        size: (width, height) of the upright picture.

    Raises:
        ClipError: if it cannot be read.
    """
    frame = _first_frame(path, limits)
    if upright_size(frame) != size:
        return None
    return turn_upright(to_rgb(frame), orientation_of(frame))


def avif_notes(path: Path, limits: LimitsConfig) -> tuple[str, ...]:
    """One line on how the colours of an AVIF still are converted."""
    return conversion_notes(_first_frame(path, limits))


def _first_frame(path: Path, limits: LimitsConfig) -> VideoFrame:
    with open_video(path, limits, num_threads=1) as source:
        for frame in source.frames():
            return frame
    raise no_frame_error(path)
