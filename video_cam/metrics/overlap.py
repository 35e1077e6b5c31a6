"""How much of the heat lies on what happened?"""

from __future__ import annotations

from typing import Any

import numpy as np

from video_cam.metrics.volumes import checked


def mass_in_event(volume: Any, truth: Any) -> float:
    """The share of the positive map that lies on the truth.

    The energy-based pointing game (Wang et al. 2020, "Score-CAM", section 4.3) over space and
    time. 0 for a map without positive values; NaN where the truth is empty.
    """
    heat, mask = checked(volume, truth)
    positive = heat.clip(min=0)
    if not mask.any():
        return np.nan
    return float(positive[mask].sum() / (positive.sum() or 1.0))


def space_time_iou(volume: Any, truth: Any, level: float = 0.5) -> float:
    """Intersection over union of the truth and the voxels above ``level`` of the map's maximum.

    Jaccard's index of two sets of voxels; thresholding at a share of the maximum is Zhou et al.'s
    (2016, "Learning Deep Features for Discriminative Localization"). A map without positive
    values marks nothing: 0. NaN where the truth is empty.
    """
    heat, mask = checked(volume, truth)
    if not mask.any():
        return np.nan
    marked = heat > level * heat.max() if heat.max() > 0 else np.zeros_like(mask)
    return float((marked & mask).sum() / (marked | mask).sum())
