"""Does the map come when the event does? A frame's mass is the sum of its positive values."""

from __future__ import annotations

from typing import Any

import numpy as np

from video_cam.metrics.localization import Volume, checked_volumes, event_frames


def temporal_hit(volume: Any, truth: Any) -> float:
    """Whether the frame with the largest mass is one of the event's.

    The pointing game (Zhang et al. 2016) on the time axis alone.

    Args:
        volume: the map, (T, H, W).
        truth: the ground truth, bool (T, H, W).

    Returns:
        1 or 0, or a fraction where several frames share the largest mass; NaN where the ground
        truth is empty.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    values, mask = checked_volumes(volume, truth)
    frames, mass = event_frames(mask), _frame_mass(values)
    return float(frames[mass == mass.max()].mean()) if mask.any() else np.nan


def temporal_iou(volume: Any, truth: Any, level: float = 0.5) -> float:
    """Intersection over union of the event's frames and the frames with enough mass.

    The temporal IoU of action localisation (ActivityNet, Caba Heilbron et al. 2015), of the frames
    whose mass exceeds ``level`` times the largest one, as ``space_time_iou`` takes its voxels.

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
    frames, mass = event_frames(mask), _frame_mass(values)
    predicted = mass > level * mass.max()
    return float((predicted & frames).sum() / (predicted | frames).sum())


def peak_distance(volume: Any, frame: float, level: float = 0.5) -> float:
    """How far the nearest peak of the map's mass in time is from a moment, in frames.

    A peak is a frame, or a row of frames of equal mass, with more mass than the frames on both
    sides, and with at least ``level`` times the largest mass.

    Args:
        volume: the map, (T, H, W).
        frame: the moment, in frames of the map; it may lie between two.
        level: in (0, 1].

    Returns:
        0 or more frames; NaN for a map without positive values.

    Raises:
        UsageError: where the map is not finite.
    """
    values, _ = checked_volumes(volume, np.zeros(np.shape(volume), bool))
    mass = _frame_mass(values)
    if mass.max() == 0:
        return np.nan
    starts = np.flatnonzero(np.diff(mass, prepend=np.nan) != 0)  # of rows of equal mass
    heights = mass[starts]
    around = np.concatenate([[-1.0], heights, [-1.0]])
    is_peak = (heights > around[:-2]) & (heights > around[2:]) & (heights >= level * mass.max())
    stops = np.append(starts[1:], len(mass)) - 1
    below, above = starts[is_peak] - frame, frame - stops[is_peak]
    return float(np.maximum(0, np.maximum(below, above)).min())


def onset_error(volume: Any, truth: Any, level: float = 0.5) -> float:
    """The distance between the map's onset and the event's, in frames.

    An onset is where a frame's mass first reaches ``level`` between its least and its largest
    value, interpolated between frames, as the rise time of a pulse is measured. The event's mass
    is 1 in its frames and 0 elsewhere.

    Args:
        volume: the map, (T, H, W).
        truth: the ground truth, bool (T, H, W).
        level: in (0, 1].

    Returns:
        0 or more frames; NaN where the ground truth is empty or all frames have the same mass.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    values, mask = checked_volumes(volume, truth)
    mass = _frame_mass(values)
    if not mask.any() or mass.max() == mass.min():
        return np.nan
    return abs(_onset(mass, level) - _onset(event_frames(mask).astype(float), level))


def lag(volume: Any, truth: Any) -> float:
    """How far the centre of mass in time is behind the middle of the event's frames.

    Args:
        volume: the map, (T, H, W).
        truth: the ground truth, bool (T, H, W).

    Returns:
        Frames, negative where the map is early; NaN where the ground truth is empty or the map
        has no positive value.

    Raises:
        UsageError: where the shapes differ or the map is not finite.
    """
    values, mask = checked_volumes(volume, truth)
    mass = _frame_mass(values)
    if not mask.any() or mass.sum() == 0:
        return np.nan
    centre = (mass * np.arange(len(mass))).sum() / mass.sum()
    return float(centre - np.flatnonzero(event_frames(mask)).mean())


def _frame_mass(values: Volume) -> np.ndarray:
    """(T,) the sum of each frame's positive values."""
    return values.clip(min=0).sum((1, 2))


def _onset(mass: np.ndarray, level: float) -> float:
    height = mass.min() + level * (mass.max() - mass.min())
    frame = int((mass >= height).argmax())
    if frame == 0:
        return 0.0
    below, above = mass[frame - 1], mass[frame]
    return float(frame - 1 + (height - below) / (above - below))
