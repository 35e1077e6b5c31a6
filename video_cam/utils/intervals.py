"""Confidence intervals for means and shares over clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from video_cam.errors import UsageError

ROUNDS = 2000
LEVEL = 0.95
MANY = 5000
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


class Interval(NamedTuple):
    """A mean and its confidence interval; NaN where there are no values.

    Attributes:
        mean: over the clips.
        low, high: ends of the interval.
    """

    mean: float
    low: float
    high: float


def bootstrap(values: Sequence[float] | np.ndarray, seed: int = 0) -> Interval:
    """The mean of one value per clip with its 95 % percentile bootstrap interval.

    Efron and Tibshirani 1993 ("An Introduction to the Bootstrap", chapter 13): clips are drawn
    with replacement, ROUNDS times.

    Args:
        values: one per clip; clips with NaN are left out.
        seed: the same seed draws the same clips, which keeps the rows of a table paired.
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    if not known.any():
        return Interval(np.nan, np.nan, np.nan)
    drawn = np.random.default_rng(seed).integers(len(values), size=(ROUNDS, len(values)))
    counts = known[drawn].sum(1)
    sums = np.where(known, values, 0.0)[drawn].sum(1)
    means = sums[counts > 0] / counts[counts > 0]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(values[known].mean()), float(low), float(high))


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """``bootstrap`` of up to MANY values; of more, for which it takes long, mean +- z s/sqrt(n).

    The interval of the normal approximation is the same one for so many values, to three digits.

    Args:
        values: one per clip, all finite.
    """
    values = np.asarray(values, np.float64)
    if len(values) <= MANY:
        return bootstrap(values)
    mean, half = float(values.mean()), _Z * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def wilson(num_right: int, num_clips: int) -> Interval:
    """A share with its 95 % score interval.

    Wilson 1927 ("Probable Inference, the Law of Succession, and Statistical Inference"): the
    shares p for which (p - right/clips)^2 <= z^2 p (1 - p) / clips. Unlike the interval of the
    normal approximation it stays in [0, 1] and is right for few clips and shares near 0 and 1.

    Args:
        num_right: how many clips count.
        num_clips: of how many.
    """
    if num_clips == 0:
        return Interval(np.nan, np.nan, np.nan)
    share, z2 = num_right / num_clips, _Z**2 / num_clips
    centre = (share + z2 / 2) / (1 + z2)
    half = math.sqrt(share * (1 - share) * z2 + z2**2 / 4) / (1 + z2)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def paired_difference(
    values: Sequence[float] | np.ndarray, others: Sequence[float] | np.ndarray, seed: int = 0
) -> Interval:
    """``bootstrap`` of the differences ``values - others``, clip by clip.

    What makes a clip easy or hard for both cancels out, so the interval is narrower.

    Args:
        values: one per clip.
        others: of the same clips in the same order.
        seed: as in ``bootstrap``.

    Raises:
        UsageError: where their numbers differ.
    """
    values, others = np.asarray(values, np.float64), np.asarray(others, np.float64)
    if values.shape != others.shape:
        raise UsageError(
            f"{len(values)} values and {len(others)} others: give both for the same clips"
        )
    return bootstrap(values - others, seed)
