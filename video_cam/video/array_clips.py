"""Clips in NumPy's files: an array of pictures in an .npy file, or in an .npz archive."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError, first_line
from video_cam.utils.array_archive import read_arrays
from video_cam.utils.names import printable_path
from video_cam.utils.text import shortened
from video_cam.video.color import RGBImage, over_black
from video_cam.video.levels import (
    Levels,
    finite_range,
    fits,
    notes,
    of_maximum,
    of_range,
    opaque_alpha,
    to_levels,
)
from video_cam.video.limits import check_count, check_size
from video_cam.video.memory import budget_bytes
from video_cam.video.picture_source import NO_RATE, PictureSource, at_rate, at_usual_rate, by_index

NPY_START = b"\x93NUMPY"
RATE_NAMES = ("fps", "frame_rate")  # of a number in an archive
MAX_RATE_LETTERS = 40  # of a wrong one in a message
CHANNELS = (1, 3, 4)  # gray, RGB, RGB and alpha
SHAPES = "(frames, height, width) or (frames, height, width, channels) with 1, 3 or 4 channels"


def is_array_file(path: Path, start: bytes) -> bool:
    """Whether a file that begins with these bytes is one of NumPy's."""
    is_zip = start.startswith(b"PK")
    return start.startswith(NPY_START) or (is_zip and path.suffix.lower() == ".npz")


def open_array(
    path: Path, start: bytes, limits: LimitsConfig, levels: Levels | None
) -> PictureSource:
    """The pictures of an .npy or .npz file; no code in it is run.

    Raises:
        ClipError: for an array of another shape or type, or one beyond the limits.
    """
    try:
        if start.startswith(NPY_START):
            found: Mapping[str, np.ndarray] = {"": np.load(path, "r", allow_pickle=False)}
        else:
            with path.open("rb") as file:
                found = read_arrays(file, max(budget_bytes(limits), 0))
    except Exception as error:  # what NumPy and zipfile raise for other files is of many types
        raise ClipError(
            f"{printable_path(path)}: not plain arrays that NumPy can read ({first_line(error)})"
        ) from error
    frames = _clip_of(path, found)
    count, height, width = frames.shape[:3]
    check_count(path, count, limits)
    check_size(path, width, height, limits)
    rate = next((_rate(path, found[name]) for name in RATE_NAMES if name in found), None)
    chosen = _levels(frames, levels)
    has_alpha = frames.ndim == 4 and frames.shape[3] == 4
    opaque = opaque_alpha(max(map(_largest, frames[..., 3]))) if has_alpha else 1

    def read(index: int) -> RGBImage:
        return _picture(frames[index], chosen, opaque, path)

    return PictureSource(
        at_usual_rate(count) if rate is None else at_rate(count, rate),
        (width, height),
        by_index(read),
        is_still=count == 1,
        levels=chosen,
        conversions=(*(() if rate else (NO_RATE,)), *notes(chosen, frames.dtype)),
    )


def _clip_of(path: Path, found: Mapping[str, np.ndarray]) -> np.ndarray:
    """The only array that has a clip's shape and type."""
    problems = {name: _problem(array) for name, array in found.items()}
    fitting = [name for name, problem in problems.items() if not problem]
    if len(fitting) == 1:
        return found[fitting[0]]
    if len(fitting) > 1:
        raise ClipError(
            f"{printable_path(path)}: holds {len(fitting)} arrays that may be the clip "
            f"({', '.join(map(repr, fitting[:5]))}); save the one that is in a file of its own"
        )
    large = [name for name in found if found[name].ndim >= 2] or list(found)
    problem = problems[large[0]] if large else "no array"
    raise ClipError(f"{printable_path(path)}: {problem}; expected {SHAPES}")


def is_clip_shape(array: np.ndarray) -> bool:
    """Whether an array has the shape and the type of a clip."""
    return not _problem(array)


def _problem(array: np.ndarray) -> str:
    """Why an array is no clip; empty if it is one."""
    shape = array.shape
    if array.dtype.kind not in "buif":
        return f"an array of {array.dtype}, not of numbers"
    is_picture = array.ndim == 3 and shape[-1] in CHANNELS
    if array.ndim == 4 and shape[-1] not in CHANNELS and shape[1] in CHANNELS:
        return f"an array of shape {shape}, which seems to have its channels second: move them"
    is_clip = array.ndim == 3 or (array.ndim == 4 and shape[-1] in CHANNELS)
    return "" if is_clip and not is_picture and 0 not in shape else f"an array of shape {shape}"


def _rate(path: Path, value: np.ndarray) -> Fraction:
    """The frame rate in an archive: one number, alone or in an array of equal ones."""
    different = np.unique(value)
    try:
        rate = Fraction(float(different.item())).limit_denominator(100_000)
    except (TypeError, ValueError, OverflowError):
        rate = Fraction(0)
    if rate <= 0:
        is_one = different.size == 1
        shown = str(different.item()) if is_one else f"an array of shape {value.shape}"
        raise ClipError(
            f"{printable_path(path)}: its frame rate is {shortened(shown, MAX_RATE_LETTERS)}, "
            "expected one number above 0"
        )
    return rate


def _levels(frames: np.ndarray, known: Levels | None) -> Levels | None:
    """The levels of all pictures without their alpha, read one after another."""
    if frames.dtype == np.uint8:
        return None
    if known is not None and fits(known, frames.dtype):
        return known
    has_alpha = frames.ndim == 4 and frames.shape[3] == 4
    ranges = [finite_range(frame[..., :3] if has_alpha else frame) for frame in frames]
    minimum, maximum = min(low for low, _ in ranges), max(high for _, high in ranges)
    if frames.dtype.kind == "u" and frames.dtype.itemsize == 2:
        return of_maximum(int(maximum), is_all=True)
    return of_range(minimum, maximum)


def _largest(values: np.ndarray) -> float:
    return finite_range(values)[1]


def _picture(frame: np.ndarray, levels: Levels | None, opaque: float, path: Path) -> RGBImage:
    values = np.asarray(frame, frame.dtype.newbyteorder("="))
    if values.ndim == 2:
        values = values[..., None]
    if values.shape[2] == 4:
        alpha = to_levels(values[..., 3:], None if levels is None else Levels(0, opaque), path)
        pixels = over_black(np.dstack([to_levels(values[..., :3], levels, path), alpha]))
    else:
        pixels = to_levels(values, levels, path)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
