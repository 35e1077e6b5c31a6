"""Does the hottest place lie on what happened?"""

from __future__ import annotations

from typing import Any

import numpy as np

from video_cam.metrics.volumes import Mask, checked, event_frames


def space_pointing(volume: Any, truth: Any, pixels: int = 7) -> float:
    """The share of the truth's frames whose hottest pixel lies on it, give or take ``pixels``.

    The pointing game (Zhang et al. 2016, "Top-down Neural Attention by Excitation Backprop") in
    every frame by itself. Near is near on each axis: a square of 2 pixels + 1. Where several
    pixels are equally hot, the share of them that lies near counts, so that a map that is the same
    everywhere gets what chance would get. NaN where the truth is empty.
    """
    heat, mask = checked(volume, truth)
    near = widened(mask, (0, pixels, pixels))
    frames = np.flatnonzero(event_frames(mask))
    return float(np.mean([_hit(heat[t], near[t]) for t in frames])) if len(frames) else np.nan


def space_time_pointing(volume: Any, truth: Any, frames: int = 1, pixels: int = 7) -> float:
    """1 where the hottest voxel of the clip lies on the truth, give or take; else 0.

    The pointing game in space and time at once, ``frames`` and ``pixels`` being how far off is
    still a hit. Ties count as in ``space_pointing``. NaN where the truth is empty.
    """
    heat, mask = checked(volume, truth)
    return _hit(heat, widened(mask, (frames, pixels, pixels))) if mask.any() else np.nan


def widened(mask: Mask, reach: tuple[int, ...]) -> Mask:
    """True wherever the mask is true within ``reach`` on each axis: (frames, rows, columns)."""
    for axis, distance in enumerate(reach):
        counts = np.cumsum(np.moveaxis(mask, axis, 0), axis=0, dtype=np.int64)
        counts = np.concatenate([np.zeros_like(counts[:1]), counts])  # trues before each place
        places = np.arange(mask.shape[axis])
        last = np.minimum(places + distance + 1, mask.shape[axis])
        first = np.maximum(places - distance, 0)
        mask = np.moveaxis(counts[last] > counts[first], 0, axis)
    return mask


def _hit(heat: np.ndarray, near: Mask) -> float:
    return float(near[heat == heat.max()].mean())
