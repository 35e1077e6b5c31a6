"""Confidence intervals against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from video_cam import UsageError, metrics


def test_a_constant_and_nothing() -> None:
    assert metrics.bootstrap([0.25] * 5) == (0.25, 0.25, 0.25)
    assert all(map(math.isnan, metrics.bootstrap([math.nan, math.nan])))


def test_clips_without_a_value_are_left_out() -> None:
    mean, low, high = metrics.bootstrap([1.0, math.nan, 3.0])
    assert (mean, low, high) == (2.0, 1.0, 3.0)


def test_the_interval_of_a_share_agrees_with_the_binomial_distribution() -> None:
    mean, low, high = metrics.bootstrap([1.0] * 80 + [0.0] * 20)
    # Standard error sqrt(0.8 0.2 / 100) = 0.04.
    assert mean == 0.8
    assert low == pytest.approx(0.8 - 1.96 * 0.04, abs=0.012)
    assert high == pytest.approx(0.8 + 1.96 * 0.04, abs=0.012)


def test_the_same_seed_draws_the_same_clips() -> None:
    values = np.random.default_rng(0).uniform(size=50)
    assert metrics.bootstrap(values) == metrics.bootstrap(values, seed=0)
    assert metrics.bootstrap(values) != metrics.bootstrap(values, seed=1)


def test_a_paired_difference_is_sharper_than_its_parts() -> None:
    clips = np.random.default_rng(0).uniform(size=50)
    difference = metrics.paired_difference(clips + 0.1, clips)
    assert difference == pytest.approx((0.1, 0.1, 0.1))
    alone = metrics.bootstrap(clips)
    assert alone.high - alone.low > 0.1
    with pytest.raises(UsageError, match="50 values and 3 others"):
        metrics.paired_difference(clips, [1.0, 2.0, 3.0])
