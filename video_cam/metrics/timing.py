"""Does the heat come when it happened? A frame's heat is the sum of its positive values."""

from __future__ import annotations

from typing import Any

import numpy as np

from video_cam.metrics.volumes import checked, event_frames, frame_mass


def temporal_hit(volume: Any, truth: Any) -> float:
    """1 where the hottest frame is one of the truth's, else 0; of equally hot ones, the share.

    The pointing game (Zhang et al. 2016) on the time axis alone. NaN where the truth is empty.
    """
    heat, mask = checked(volume, truth)
    frames, mass = event_frames(mask), frame_mass(heat)
    return float(frames[mass == mass.max()].mean()) if mask.any() else np.nan


def onset_error(volume: Any, truth: Any, level: float = 0.5) -> float:
    """Frames between the map's onset and the truth's, without a sign.

    An onset is where heat first rises to ``level`` between its least and its most (at half
    height, as the rise of a pulse is timed), interpolated between frames; the truth's heat is 1 in
    its frames and 0 elsewhere. NaN where the truth is empty, or the heat is the same in every
    frame.
    """
    heat, mask = checked(volume, truth)
    mass = frame_mass(heat)
    if not mask.any() or mass.max() == mass.min():
        return np.nan
    return abs(_rise(mass, level) - _rise(event_frames(mask).astype(float), level))


def _rise(mass: np.ndarray, level: float) -> float:
    height = mass.min() + level * (mass.max() - mass.min())
    frame = int((mass >= height).argmax())
    if frame == 0:
        return 0.0
    below, above = mass[frame - 1], mass[frame]
    return float(frame - 1 + (height - below) / (above - below))


def lag(volume: Any, truth: Any) -> float:
    """Frames by which the heat's centre of mass comes after the middle of the truth's frames.

    Positive is late, negative early. NaN where the truth or the map is empty.
    """
    heat, mask = checked(volume, truth)
    mass = frame_mass(heat)
    if not mask.any() or mass.sum() == 0:
        return np.nan
    centre = (mass * np.arange(len(mass))).sum() / mass.sum()
    return float(centre - np.flatnonzero(event_frames(mask)).mean())
