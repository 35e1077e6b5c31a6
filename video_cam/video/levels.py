"""Which stored values are shown as black and as white: pictures of 16 bits and of other numbers.

Cameras and microscopes store 10 to 14 bits of data in files of 16 bits, which are nearly black when
65535 is white. One pair of values serves a whole clip, so that its brightness does not flicker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from video_cam.errors import ClipError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path

BIT_DEPTHS = (8, 10, 12, 14, 16)  # of sensors
_DEPTH_WHITES = tuple((1 << bits) - 1 for bits in BIT_DEPTHS)
MAX_SAMPLED = 16  # pictures that are looked at, spread over the clip


class Levels(NamedTuple):
    """How stored values become levels from 0 to 255.

    Attributes:
        black, white: the stored values that are shown as 0 and as 255; white is the smaller one
            where small values are bright.
        clips: values beyond are shown as black or white; False raises an error instead, as the two
            were found in a part of the clip.
        is_depth: the user named the bits of the data.
    """

    black: float
    white: float
    clips: bool = True
    is_depth: bool = False


FULL_16_BIT = (1 << 16) - 1


def of_bit_depth(bits: int) -> Levels:
    """The levels of data of so many bits, as the user says."""
    return Levels(0, (1 << bits) - 1, is_depth=True)


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


def opaque_alpha(maximum: float) -> float:
    """The value of opaque alpha, of numbers of which ``maximum`` is the largest in a clip."""
    return next((white for white in (1, *_DEPTH_WHITES) if maximum <= white), maximum)


def found_levels(
    stored: Callable[[int], np.ndarray], count: int, known: Levels | None
) -> Levels | None:
    """The levels of a clip; None for 8 bits, which need none.

    Whole numbers of 16 bits are looked at in the pictures at ``spread(count)``: their bit depth
    leaves room for others. Numbers of other types have no depth, so all pictures are looked at.

    Args:
        stored: the stored values of a picture, all of one type; called only where needed.
        count: of the clip's pictures.
        known: what was found before, or the user says.
    """
    dtype = stored(0).dtype
    if dtype == np.uint8:
        return None
    if known is not None and fits(known, dtype):
        return known
    is_16_bit = dtype == np.uint16
    ranges = [finite_range(stored(i)) for i in (spread(count) if is_16_bit else range(count))]
    minimum, maximum = min(low for low, _ in ranges), max(high for _, high in ranges)
    if is_16_bit:
        return of_maximum(int(maximum), is_all=count <= MAX_SAMPLED)
    return of_range(minimum, maximum)


def fits(levels: Levels, dtype: np.dtype) -> bool:
    """False for a depth in bits and numbers that have none: those of 8 bits, decimal ones."""
    has_depth = dtype.kind in "ui" and dtype.itemsize > 1
    return has_depth or not levels.is_depth


def check_type(values: np.ndarray, expected: np.dtype, path: StrPath) -> np.ndarray:
    """The values of a picture, if they are of the type that the clip's first picture has.

    Raises:
        ClipError: for another type: which values of the two are equally bright is not known.
    """
    if values.dtype == expected:
        return values
    raise ClipError(
        f"{printable_path(path)}: a picture of {type_in_words(values.dtype)} in a clip whose first "
        f"picture has {type_in_words(expected)}, so what is black and white is not known: save all "
        "pictures with the same number of bits"
    )


def type_in_words(dtype: np.dtype) -> str:
    """The type of a picture's numbers, as in "a picture of 8 bits"."""
    if dtype.kind == "f":
        return f"decimal numbers of {8 * dtype.itemsize} bits"
    return f"{'signed numbers of ' if dtype.kind == 'i' else ''}{8 * dtype.itemsize} bits"


def finite_range(picture: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest of the finite values; 0 and 0 without any."""
    finite = picture[np.isfinite(picture)] if picture.dtype.kind == "f" else picture
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def notes(levels: Levels | None, dtype: np.dtype) -> tuple[str, ...]:
    """One line for readers of a result; none where nothing had to be chosen.

    Args:
        levels: of the clip.
        dtype: of the stored values.
    """
    if levels is None or levels[:2] == (0, FULL_16_BIT) or dtype.kind == "b":
        return ()
    values = f"values from {levels.black:g} to {levels.white:g} are shown as black to white"
    if dtype.kind == "f":
        return (f"the pictures hold decimal numbers: {values}",)
    if dtype.itemsize == 1:
        return (f"the pictures hold {type_in_words(dtype)}: {values}",)
    return (f"the pictures hold more than 8 bits: {values}; --bit-depth changes that",)


def to_levels(values: np.ndarray, levels: Levels | None, path: StrPath) -> np.ndarray:
    """The values as uint8 levels.

    Args:
        values: numbers of any shape; returned as they are without levels.
        levels: None for 8 bits.
        path: of the clip, for the message.

    Raises:
        ClipError: for values beyond ``levels``, where these do not clip.
    """
    if levels is None:
        return values
    if not levels.clips and values.max() > levels.white:
        raise ClipError(
            f"{printable_path(path)}: a picture holds the value {values.max()}, more than the "
            f"{levels.white:g} of those looked at first: give the depth of the data, as "
            "--bit-depth 16"
        )
    bits = int(levels.white).bit_length() if values.dtype == np.uint16 and levels.white > 0 else 0
    if bits >= 8 and levels[:2] == (0, (1 << bits) - 1):
        # The upper 8 of the data's bits: for 16 bits this is what OpenCV does.
        return np.minimum(values >> (bits - 8), 255).astype(np.uint8)
    low, high = sorted((levels.black, levels.white))
    # Whole numbers of 32 bits have more digits than float32.
    wider = values.astype(np.result_type(values.dtype, np.float32))
    numbers = np.nan_to_num(wider, nan=levels.black, posinf=high, neginf=low)
    span = (levels.white - levels.black) or 1e-12
    return np.rint(np.clip((numbers - levels.black) * (255 / span), 0, 255)).astype(np.uint8)


def spread(count: int) -> list[int]:
    """Up to MAX_SAMPLED places from 0 to count - 1, evenly spread, the first among them."""
    sampled = min(count, MAX_SAMPLED)
    return [place * count // sampled for place in range(sampled)]
