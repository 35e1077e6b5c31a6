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
