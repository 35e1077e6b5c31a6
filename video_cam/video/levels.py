"""Which stored values are shown as black and as white: pictures of 16 bits and of other numbers.

Cameras and microscopes store 10 to 14 bits of data in files of 16 bits, which are nearly black when
65535 is white. One pair of values serves a whole clip, so that its brightness does not flicker.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

import numpy as np

from video_cam.errors import ClipError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path

BIT_DEPTHS = (8, 10, 12, 14, 16)  # of sensors
MAX_SAMPLED = 16  # pictures that are looked at, spread over the clip


class Levels(NamedTuple):
    """How stored values become levels from 0 to 255.

    Attributes:
        black, white: the stored values that are shown as 0 and as 255.
        clips: values beyond are shown as black or white; False raises an error instead, as the two
            were found in a part of the clip.
    """

    black: float
    white: float
    clips: bool = True


FULL_16_BIT = (1 << 16) - 1


def of_bit_depth(bits: int) -> Levels:
    """The levels of data of so many bits, as the user says."""
    return Levels(0, (1 << bits) - 1)


def of_maximum(maximum: int, *, is_all: bool) -> Levels:
    """The levels of whole numbers: those of the smallest usual bit depth that holds them.

    Args:
        maximum: the largest stored value.
        is_all: all values are known, not those of some pictures only.
    """
    bits = next(bits for bits in BIT_DEPTHS if maximum < 1 << bits)
    return Levels(0, (1 << bits) - 1, is_all or bits == BIT_DEPTHS[-1])


def of_range(minimum: float, maximum: float) -> Levels:
    """The levels of decimal numbers: 0 to 1, 0 to 255 or -1 to 1 where they fit, else their own."""
    for black, white in ((0.0, 1.0), (0.0, 255.0)):
        if black <= minimum and maximum <= white:
            return Levels(black, white)
    if minimum >= -1 and maximum <= 1:
        return Levels(-1.0, 1.0)
    return Levels(minimum, maximum)


def found_levels(
    first: np.ndarray, others: Iterable[np.ndarray], count: int, known: Levels | None
) -> Levels | None:
    """The levels of a clip; None for 8 bits, which need none.

    Args:
        first: stored values of the first picture.
        others: of the pictures at the other places of ``spread(count)``; read only where needed.
        count: of the clip's pictures.
        known: what was found before, or the user says.
    """
    if first.dtype == np.uint8:
        return None
    if known is not None and fits(known, first.dtype):
        return known
    ranges = [_finite_range(picture) for picture in chain([first], others)]
    minimum, maximum = min(low for low, _ in ranges), max(high for _, high in ranges)
    if first.dtype == np.uint16:
        return of_maximum(int(maximum), is_all=count <= MAX_SAMPLED)
    return of_range(minimum, maximum)._replace(clips=count <= MAX_SAMPLED)


def fits(levels: Levels, dtype: np.dtype) -> bool:
    """False for a depth in bits and decimal numbers, which have none."""
    is_depth = levels.black == 0 and levels.white in {2**bits - 1 for bits in range(8, 17)}
    return not (is_depth and np.issubdtype(dtype, np.floating))


def _finite_range(picture: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest of the finite values; 0 and 0 without any."""
    finite = picture[np.isfinite(picture)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def notes(levels: Levels | None) -> tuple[str, ...]:
    """One line for readers of a result; none where nothing had to be chosen."""
    if levels is None or levels[:2] == (0, FULL_16_BIT):
        return ()
    return (
        f"the pictures hold more than 8 bits: values from {levels.black:g} to {levels.white:g} are "
        "shown as black to white; --bit-depth changes that",
    )


def to_levels(values: np.ndarray, levels: Levels | None, path: StrPath) -> np.ndarray:
    """The values as uint8 levels.

    Args:
        values: numbers of any shape; returned as they are if they are uint8.
        levels: None for 8 bits.
        path: of the clip, for the message.

    Raises:
        ClipError: for values beyond ``levels``, where these do not clip.
    """
    if values.dtype == np.uint8:
        return values
    if levels is None:  # a picture of more bits than the first one of its clip
        levels = Levels(0, FULL_16_BIT)
    if not levels.clips and values.max() > levels.white:
        raise ClipError(
            f"{printable_path(path)}: a picture holds the value {values.max()}, more than the "
            f"{levels.white:g} of those looked at first: give the depth of the data, as "
            "--bit-depth 16"
        )
    bits = int(levels.white).bit_length() if values.dtype == np.uint16 else 0
    if values.dtype == np.uint16 and levels[:2] == (0, (1 << bits) - 1) and bits >= 8:
        # The upper 8 of the data's bits: for 16 bits this is what OpenCV does.
        return np.minimum(values >> (bits - 8), 255).astype(np.uint8)
    numbers = np.nan_to_num(
        values.astype(np.float32), nan=levels.black, posinf=levels.white, neginf=levels.black
    )
    span = max(levels.white - levels.black, 1e-12)
    scaled = (numbers - np.float32(levels.black)) * np.float32(255 / span)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def spread(count: int) -> list[int]:
    """Up to MAX_SAMPLED places from 0 to count - 1, evenly spread, the first among them."""
    sampled = min(count, MAX_SAMPLED)
    return [place * count // sampled for place in range(sampled)]
