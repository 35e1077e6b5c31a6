"""Does the map lie on the event? Pointing games, mass in the event, and IoU.

A map is a signed volume (T, H, W) on the clip's own grid; the ground truth is a bool mask of the
same shape, True where and when the event is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from video_cam.errors import UsageError

Volume = np.ndarray  # float64 (T, H, W)
Mask = np.ndarray  # bool (T, H, W)


def space_pointing(volume: Any, truth: Any, pixels: int = 7) -> float:
    """The pointing game in each frame of the event, averaged over these frames.

    Zhang et al. 2016 ("Top-down Neural Attention by Excitation Backprop"). In one frame it is 1
    where the pixel with the largest value is at most ``pixels`` from the ground truth along each
    axis. Where several pixels share the largest value, it is the fraction of them that is, so that
    a constant map scores as chance does.

    Args:
        volume: the map, (T, H, W).
        truth: the ground truth, bool (T, H, W).
        pixels: the tolerance along each axis.

    Returns:
        In [0, 1]; NaN where the ground truth is empty.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    values, mask = checked_volumes(volume, truth)
    tolerated = dilated(mask, (0, pixels, pixels))
    frames = np.flatnonzero(event_frames(mask))
    if not len(frames):
        return np.nan
    return float(np.mean([_hit_rate(values[t], tolerated[t]) for t in frames]))


def space_time_pointing(volume: Any, truth: Any, frames: int = 1, pixels: int = 7) -> float:
    """The pointing game in space and time at once, for the largest value of the whole clip.

    As ``space_pointing``, with a tolerance of ``frames`` in time.

    Args:
        volume: the map, (T, H, W).
        truth: the ground truth, bool (T, H, W).
        frames: the tolerance in time.
        pixels: the tolerance along each axis of the frame.

    Returns:
        1 or 0, or a fraction where several voxels share the largest value; NaN where the ground
        truth is empty.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    values, mask = checked_volumes(volume, truth)
    if not mask.any():
        return np.nan
    return _hit_rate(values, dilated(mask, (frames, pixels, pixels)))


def mass_in_event(volume: Any, truth: Any) -> float:
    """The fraction of the sum of positive values that lies on the ground truth.

    The energy-based pointing game (Wang et al. 2020, "Score-CAM", section 4.3) in space and time.

    Args:
        volume: the map, (T, H, W).
        truth: the ground truth, bool (T, H, W).

    Returns:
        In [0, 1]; 0 for a map without positive values, NaN where the ground truth is empty.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    values, mask = checked_volumes(volume, truth)
    positive = values.clip(min=0)
    if not mask.any():
        return np.nan
    return float(positive[mask].sum() / (positive.sum() or 1.0))


def space_time_iou(volume: Any, truth: Any, level: float = 0.5) -> float:
    """Intersection over union of the ground truth and the voxels above a threshold.

    The threshold is ``level`` times the map's maximum, as in Zhou et al. 2016 ("Learning Deep
    Features for Discriminative Localization").

    Args:
        volume: the map, (T, H, W).
        truth: the ground truth, bool (T, H, W).
        level: in [0, 1).

    Returns:
        In [0, 1]; 0 for a map without positive values, NaN where the ground truth is empty.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    values, mask = checked_volumes(volume, truth)
    if not mask.any():
        return np.nan
    predicted = values > level * max(values.max(), 0)
    return float((predicted & mask).sum() / (predicted | mask).sum())


def checked_volumes(volume: Any, truth: Any) -> tuple[Volume, Mask]:
    """A map and a ground truth as arrays.

    Returns:
        float64 (T, H, W) and bool (T, H, W).

    Raises:
        UsageError: where they are not (T, H, W) of one shape, or the map is not finite.
    """
    values, mask = np.asarray(volume, np.float64), np.asarray(truth, bool)
    if values.ndim != 3 or values.shape != mask.shape:
        raise UsageError(
            f"the map is {values.shape} and the ground truth {mask.shape}: expected (T, H, W) of "
            "one size; upsample brings a map to the clip's size"
        )
    if not np.isfinite(values).all():
        raise UsageError("the map contains values that are not finite")
    return values, mask


def event_frames(mask: Mask) -> np.ndarray:
    """bool (T,): the frames in which the ground truth is True anywhere."""
    return np.asarray(mask.any((1, 2)))


def dilated(mask: Mask, reach: tuple[int, ...]) -> Mask:
    """True wherever the mask is True within ``reach`` (frames, rows, columns) along each axis."""
    for axis, distance in enumerate(reach):
        counts = np.cumsum(np.moveaxis(mask, axis, 0), axis=0, dtype=np.int64)
        counts = np.concatenate([np.zeros_like(counts[:1]), counts])  # Trues before each index
        indices = np.arange(mask.shape[axis])
        stop = np.minimum(indices + distance + 1, mask.shape[axis])
        start = np.maximum(indices - distance, 0)
        mask = np.moveaxis(counts[stop] > counts[start], 0, axis)
    return mask


def _hit_rate(values: np.ndarray, tolerated: Mask) -> float:
    """The fraction of the places with the largest value that the mask contains."""
    return float(tolerated[values == values.max()].mean())
