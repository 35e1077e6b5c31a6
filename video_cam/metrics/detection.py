"""The map as a detector of the event's voxels, at every threshold at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from video_cam.metrics.localization import checked_volumes


def average_precision(volume: Any, truth: Any) -> float:
    """The area under the precision-recall curve of the map's voxels.

    AP = sum over thresholds n of (R_n - R_(n-1)) P_n, where P_n and R_n are precision and recall of
    the voxels with at least the n-th largest value; without interpolation, as in scikit-learn's
    ``average_precision_score``. Equal values share one threshold, so a constant map scores the
    share of the ground truth, as chance does.

    Args:
        volume: the map, (T, H, W); negative values count as 0.
        truth: the ground truth, bool (T, H, W).

    Returns:
        In (0, 1]; NaN where the ground truth is empty.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    hits, found, positives = _counts(volume, truth)
    if not positives:
        return np.nan
    return float((np.diff(hits, prepend=0) * hits / found).sum() / positives)


def best_iou(volume: Any, truth: Any) -> float:
    """The largest intersection over union of the ground truth and the voxels above any threshold.

    Unlike ``space_time_iou``, it does not depend on how the values are distributed, only on their
    order. The threshold is chosen with the ground truth of each clip, so this is an upper bound;
    compare Choe et al. 2020 ("Evaluating Weakly Supervised Object Localization Methods Right"),
    whose MaxBoxAcc chooses one threshold for a whole data set.

    Args:
        volume: the map, (T, H, W); negative values count as 0.
        truth: the ground truth, bool (T, H, W).

    Returns:
        In (0, 1]; NaN where the ground truth is empty.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    hits, found, positives = _counts(volume, truth)
    if not positives:
        return np.nan
    return float((hits / (found + positives - hits)).max())


def _counts(volume: Any, truth: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """For each threshold, largest first: voxels of the ground truth found, and voxels found.

    Returns:
        hits, found: int64 (thresholds,).
        positives: number of voxels of the ground truth.
    """
    values, mask = checked_volumes(volume, truth)
    flat = values.clip(min=0).ravel()
    order = np.argsort(-flat, kind="stable")
    flat = flat[order]
    last = np.append(np.flatnonzero(np.diff(flat)), len(flat) - 1)  # of each run of equal values
    hits = np.cumsum(mask.ravel()[order], dtype=np.int64)
    return hits[last], last + 1, int(hits[-1])
