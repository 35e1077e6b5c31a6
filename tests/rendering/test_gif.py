"""Delays of a GIF's frames, against exact times."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from video_cam.rendering.gif import MIN_DELAY, gif_delays


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (25, [4] * 8),
        (30, [3, 4, 3, 3, 4, 3, 3, 4]),  # 0 3 7 10 13 17 20 23 27
        (50, [2] * 8),
    ],
)
def test_delays_follow_the_rate_without_drift(rate: int, expected: list[int]) -> None:
    assert list(gif_delays([Fraction(i, rate) for i in range(9)]).values()) == expected


def test_frames_that_no_browser_shows_are_left_out() -> None:
    delays = gif_delays([Fraction(i, 100) for i in range(11)])
    assert delays == dict.fromkeys(range(0, 10, 2), 2)


def test_a_single_short_frame_is_kept() -> None:
    assert gif_delays([Fraction(0), Fraction(1, 1000)]) == {0: MIN_DELAY}


def test_no_time_is_further_off_than_half_a_tick() -> None:
    rng = np.random.default_rng(0)
    stamps = [Fraction(int(s), 1000) for s in np.cumsum(rng.integers(20, 90, 200))]
    delays = gif_delays(stamps)
    shown_at = 0
    for position, delay in delays.items():
        assert abs(Fraction(shown_at, 100) - (stamps[position] - stamps[0])) <= Fraction(1, 200)
        shown_at += delay
    assert abs(Fraction(shown_at, 100) - (stamps[-1] - stamps[0])) <= Fraction(1, 200)
