"""What every measure does first: check the shapes, keep the positive part."""

from __future__ import annotations

from typing import Any

import numpy as np

from video_cam.errors import UsageError

Volume = np.ndarray  # float (T, H, W)
Mask = np.ndarray  # bool (T, H, W)


def checked(volume: Any, truth: Any) -> tuple[Volume, Mask]:
    """Both as arrays. UsageError where they are not (T, H, W) of one shape, or not finite."""
    heat, mask = np.asarray(volume, np.float64), np.asarray(truth, bool)
    if heat.ndim != 3 or heat.shape != mask.shape:
        raise UsageError(
            f"the map is {heat.shape} and the truth {mask.shape}: both must be one (T, H, W)"
        )
    if not np.isfinite(heat).all():
        raise UsageError("the map holds values that are not finite")
    return heat, mask


def frame_mass(heat: Volume) -> np.ndarray:
    """(T,) the sum of each frame's positive values."""
    return heat.clip(min=0).sum((1, 2))


def event_frames(mask: Mask) -> np.ndarray:
    """(T,) bool: the frames in which the truth is anywhere."""
    return np.asarray(mask.any((1, 2)))
