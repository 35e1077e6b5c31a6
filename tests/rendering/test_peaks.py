"""Peaks of a map over time, against a search that follows the definition word by word."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.support.explanations import make_explanation, map_series
from video_cam import Explanation
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.peaks import MIN_PROMINENCE, peak_frames, peaks
from video_cam.video.timeline import Timeline


def reference(values: list[float], ticks: list[int], apart: int) -> list[int]:
    """Every value against every other one."""

    def is_higher(one: int, other: int) -> bool:
        return (values[one], -one) > (values[other], -other)

    def saddle(position: int, side: range) -> float:
        low = values[position]
        for other in side:
            if is_higher(other, position):
                return low
            low = min(low, values[other])
        return 0.0

    def prominence(position: int) -> float:
        before, after = range(position - 1, -1, -1), range(position + 1, len(values))
        return values[position] - max(saddle(position, before), saddle(position, after))

    found = [
        i
        for i, value in enumerate(values)
        if value > 0 and prominence(i) >= MIN_PROMINENCE * max(values)
    ]
    chosen: list[int] = []
    while found:
        best = next(i for i in found if not any(is_higher(j, i) for j in found))
        chosen.append(best)
        found = [i for i in found if abs(ticks[i] - ticks[best]) >= apart]
    return chosen


@pytest.mark.parametrize("seed", range(30))
def test_peaks_are_those_of_the_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    length = int(random.integers(1, 60))
    # Whole numbers have many ties; a random walk has broad peaks.
    curves = (
        random.integers(0, 5, length).astype(float),
        random.random(length) ** 3,
        np.abs(np.cumsum(random.normal(size=length))),
    )
    ticks = np.cumsum(random.integers(1, 9, length))
    for values in curves:
        for apart in (1, 7, 30):
            assert peaks(values, ticks, apart) == reference(values.tolist(), ticks.tolist(), apart)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([0, 0, 0], []),  # nothing speaks for the class
        ([2.0], [0]),  # one frame
        ([3, 3, 3, 3], [0]),  # the same throughout
        ([0, 5, 5, 5, 0], [1]),
        ([5, 4, 3, 2, 1], [0]),  # an event at the start is a peak, and so is one at the end
        ([1, 2, 3, 4, 5], [4]),
        ([1, 0, 3, 0, 2], [2, 4, 0]),  # strongest first
        ([2, 0, 2, 0, 2], [0, 2, 4]),  # ties by time
        ([9, 8.5, 8.9, 0, 4, 0], [0, 4]),  # a dent is no valley
    ],
)
def test_peaks_by_hand(values: list[float], expected: list[int]) -> None:
    assert peaks(np.array(values, float), np.arange(len(values)), 1) == expected


def test_the_stronger_of_two_peaks_close_together_stays() -> None:
    values = np.array([0, 4, 0, 5, 0, 3, 0], float)
    assert peaks(values, np.arange(7), 2) == [3, 1, 5]
    assert peaks(values, np.arange(7), 3) == [3]
    assert peaks(values, np.arange(7) * 10, 20) == [3, 1, 5]


def one_window(values: list[float], **fields: Any) -> Explanation:
    """A network that was given every second frame of a clip at 10 frames per second.

    values: of the map's one cell at each of these frames.
    """
    count = len(values)
    return make_explanation(
        timeline=Timeline(np.arange(2 * count), Fraction(1, 10), 1),
        frame_indices=2 * np.arange(count)[None],
        num_padded=np.zeros(1, np.int64),
        probabilities=np.ones((1, 3), np.float32),
        maps=(map_series([values], list(range(count))),),
        span=(0, 2 * count),
        **fields,
    )


def frames_of(explanation: Explanation, **options: Any) -> list[int]:
    return peak_frames(explanation, BlendedMap(explanation, 0), **options)


def test_peaks_of_a_map_are_frames_that_the_network_was_given() -> None:
    # Negative values count as nothing, however large they are.
    explanation = one_window([0, 1, -9, 0, 0, 4, 0, -9, 2, -9])
    assert frames_of(explanation) == [10, 16, 2]
    assert frames_of(one_window([-3, -1, -2])) == [] == frames_of(one_window([0, 0, 0]))
    assert frames_of(one_window([2])) == [0]


def test_peaks_are_half_a_second_apart() -> None:
    values = [0, 0, 3, 0, 4, 0, 0, 2, 0, 0]  # 0.4 s and 0.6 s apart
    assert frames_of(one_window(values)) == [8, 14]
    assert frames_of(one_window(values), among=[0, 4, 10, 14, 18]) == [4, 14]


def test_frames_outside_the_map_are_no_peaks() -> None:
    explanation = replace(one_window([9, 0, 0, 4, 0, 0, 7]), span=(5, 10))
    assert frames_of(explanation) == [6]
