"""Curves over time with fewer points than there are frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def shorten(
    curve: np.ndarray, combine: Callable[[np.ndarray], float], max_points: int
) -> np.ndarray:
    """At most ``max_points`` points, each of them ``combine`` of the values it stands for."""
    if len(curve) <= max_points:
        return curve
    return np.array([combine(part) for part in np.array_split(curve, max_points)])
