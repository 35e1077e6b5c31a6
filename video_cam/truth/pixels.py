"""The pixels of a region: from a box, a picture, run lengths or polygons."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from video_cam.errors import ClipError
from video_cam.truth.clip_truth import Box, Mask
from video_cam.utils.names import printable_path

FAR = 30_000  # pixels


def region_pixels(place: Box | Mask, height: int, width: int) -> np.ndarray:
    """bool (height, width): the pixels of a region.

    Args:
        height, width: of the source frame.

    Raises:
        ClipError: for a picture that cannot be read, or a mask of another size than the frame.
    """
    if isinstance(place, Box):
        return _box(place, height, width)
    if place.polygons:
        return _polygons(place.polygons, height, width)
    if place.picture is not None:
        pixels = _picture(place.picture)
        if pixels.shape != (height, width):
            raise _of_another_size(place, pixels.shape, height, width)
        return pixels
    return _run_lengths(place, height, width)


def _box(box: Box, height: int, width: int) -> np.ndarray:
    """The pixels whose centre is in a box."""
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    inside = (columns >= box.left) & (columns < box.right)
    return np.asarray(inside & ((rows >= box.top) & (rows < box.bottom))[:, None])


def _picture(path: str) -> np.ndarray:
    picture = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ClipError(f"mask {printable_path(path)!r} cannot be read as a picture")
    # Of a picture with an alpha channel, what is drawn counts, not that all of it is opaque.
    colours = picture if picture.ndim == 2 else picture[..., :3].max(2)
    return np.asarray(colours > 0)


def _polygons(polygons: Sequence[Sequence[float]], height: int, width: int) -> np.ndarray:
    """What polygons enclose; pixel i covers [i, i + 1), and OpenCV's pixel centres are integers."""
    pixels = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        # What lies far outside is cut off nearer by: OpenCV's coordinates have 16 bits.
        points = np.clip(np.array(polygon, float).reshape(-1, 2) - 0.5, -FAR, FAR)
        cv2.fillPoly(pixels, [np.rint(points).astype(np.int32)], 1)
    return pixels.astype(bool)


def _run_lengths(mask: Mask, height: int, width: int) -> np.ndarray:
    """The runs on the frame; sizes are compared before anything is as large as they say."""
    (rows, columns), (left, top) = mask.size, mask.corner
    is_inside = min(left, top, rows, columns) >= 0 and top + rows <= height
    if not is_inside or left + columns > width or (mask.by_column and mask.size != (height, width)):
        raise _of_another_size(mask, (rows, columns), height, width)
    frame = np.zeros((height, width), bool)
    frame[top : top + rows, left : left + columns] = _runs(mask, rows, columns)
    return frame


def _runs(mask: Mask, height: int, width: int) -> np.ndarray:
    """bool (height, width)."""
    counts = unpacked_counts(mask.counts) if isinstance(mask.counts, str) else mask.counts
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ClipError(
            f"the run lengths of the mask of frame {mask.frame_index} have {sum(counts)} pixels in "
            f"all, expected {width}x{height}"
        )
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(width, height).T if mask.by_column else flat.reshape(height, width)


def unpacked_counts(text: str) -> list[int]:
    """The run lengths in COCO's compressed text.

    Each number is written in groups of five bits, the lowest first, in characters from "0" on; a
    sixth bit says that more follow, and the highest bit of the last group is the sign. From the
    fourth number on, it is the difference from the number two places before.

    Raises:
        ClipError: for other text.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ClipError("a mask's compressed run lengths are damaged")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ClipError("a mask's compressed run lengths are cut off")
    return counts


def _of_another_size(mask: Mask, size: tuple[int, ...], height: int, width: int) -> ClipError:
    return ClipError(
        f"the mask of frame {mask.frame_index} has {size[1]}x{size[0]} pixels, the frame "
        f"{width}x{height}"
    )
