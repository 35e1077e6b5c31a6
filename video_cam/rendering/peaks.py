"""The peaks of a map over time: the frames at which it is strong, well apart from each other."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from fractions import Fraction
from operator import ge, gt

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMap

MIN_SECONDS_APART = Fraction(1, 2)
# A peak rises so far above the lowest point between it and a higher one; of the largest value.
MIN_PROMINENCE = 0.1
MAX_PEAKS = 200  # of a map


def peak_frames(
    explanation: Explanation, blended: BlendedMap, among: Sequence[int] | None = None
) -> list[int]:
    """The frames at which a map's mass has a peak, at least MIN_SECONDS_APART apart.

    Mass is that of the positive part of the map, after the windows are blended. It is compared
    within the clip: a peak is as strong as its share of the largest mass. Of two peaks that are too
    close to each other the stronger one stays.

    Args:
        explanation: whose map it is.
        blended: the map at every frame.
        among: the source frames that are compared, rising; None for all that the network was given.

    Returns:
        Indices of source frames, strongest first, of equal ones the earliest first; at most
        MAX_PEAKS. Empty for a map without positive values; the first frame for one that is the
        same throughout.
    """
    stop = blended.first + len(blended.mass)
    candidates = explanation.keyframes() if among is None else among
    frames = np.array([i for i in candidates if blended.first <= i < stop], int)
    ticks_apart = math.ceil(MIN_SECONDS_APART / explanation.timeline.time_base)
    mass = blended.mass[frames - blended.first]
    found = peaks(mass, explanation.timeline.pts[frames], ticks_apart)
    return frames[found[:MAX_PEAKS]].tolist()


def peaks(values: np.ndarray, ticks: np.ndarray, ticks_apart: int) -> list[int]:
    """The positions of the peaks of a curve.

    A value is a peak if its prominence is at least MIN_PROMINENCE of the largest value, where that
    is above 0. Its prominence is how far one has to go down from it on the way to a higher value,
    on the side where that is less; beyond the ends the curve is 0. Of equal values the earlier one
    is the higher one.

    Args:
        values: float (F,), at least 0.
        ticks: int (F,), when each value holds, rising.
        ticks_apart: at least so many ticks lie between two peaks; the higher one stays.

    Returns:
        Positions in ``values``, the highest first.
    """
    if not len(values) or values.max() <= 0:
        return []
    saddles = np.maximum(_lowest_before(values, ge), _lowest_before(values[::-1], gt)[::-1])
    is_peak = values - saddles >= MIN_PROMINENCE * values.max()
    chosen: list[int] = []
    taken: list[int] = []  # ticks of the chosen ones, rising
    for position in np.argsort(-values, kind="stable").tolist():
        tick = int(ticks[position])
        if not is_peak[position] or is_near(taken, tick, ticks_apart):
            continue
        chosen.append(position)
        insort(taken, tick)
    return chosen


def _lowest_before(values: np.ndarray, is_higher: Callable[[float, float], bool]) -> np.ndarray:
    """For each value the lowest one since the last higher value; 0 where none was higher."""
    lowest = np.zeros(len(values))
    higher: list[tuple[float, float]] = []  # falling values, and the lowest since the one before
    for position, value in enumerate(values.tolist()):
        low = value
        while higher and not is_higher(higher[-1][0], value):
            low = min(low, higher.pop()[1])
        lowest[position] = low if higher else 0.0
        higher.append((value, low))
    return lowest


def is_near(taken: list[int], tick: int, ticks_apart: int) -> bool:
    """Whether one of the rising ``taken`` is less than ``ticks_apart`` away."""
    place = bisect_left(taken, tick)
    return any(abs(other - tick) < ticks_apart for other in taken[max(place - 1, 0) : place + 1])
