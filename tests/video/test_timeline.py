"""Time stamps: exact durations and rates, and the repair of stamps that do not increase."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from video_cam.video.timeline import REORDER_DEPTH, Timeline, repair_stamps


def test_a_variable_frame_rate() -> None:
    timeline = Timeline(np.array([0, 5, 7, 12]), Fraction(1, 100), 3)
    assert timeline.num_frames == 4
    expected = [0, Fraction(5, 100), Fraction(7, 100), Fraction(12, 100)]
    assert [timeline.pts_seconds(i) for i in range(4)] == expected
    assert [timeline.duration_ticks(i) for i in range(4)] == [5, 2, 5, 3]
    assert [timeline.frame_end_seconds(i) for i in range(4)] == [*expected[1:], Fraction(15, 100)]
    assert timeline.duration_seconds == timeline.end_seconds == Fraction(15, 100)
    assert timeline.frame_rate == Fraction(400, 15)


def test_the_duration_counts_from_the_first_frame() -> None:
    timeline = Timeline(np.array([10, 11]), Fraction(1, 25), 1)
    assert timeline.duration_seconds == Fraction(2, 25)
    assert timeline.end_seconds == Fraction(12, 25)


@pytest.mark.parametrize(
    ("pts", "last_duration", "expected"),
    [([0, 4, 8, 20], 7, 7), ([0, 4, 8, 20], None, 4), ([0, 4, 8, 20], 0, 4), ([3], None, 40)],
)
def test_an_unknown_last_duration_is_the_median_or_a_25th(pts, last_duration, expected) -> None:
    assert Timeline.from_stamps(pts, Fraction(1, 1000), last_duration).last_duration == expected


@pytest.mark.parametrize("pts", [[], [0, 0], [2, 1], [[0, 1]]])
def test_stamps_that_do_not_increase_are_refused(pts) -> None:
    with pytest.raises(ValueError, match="strictly increasing"):
        Timeline(np.array(pts), Fraction(1, 25), 1)


@pytest.mark.parametrize(("time_base", "last_duration"), [(Fraction(0), 1), (Fraction(1, 25), 0)])
def test_a_time_base_or_duration_of_0_is_refused(time_base, last_duration) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Timeline(np.array([0, 1]), time_base, last_duration)


def test_stamps_cannot_be_changed() -> None:
    given = np.array([0, 1])
    timeline = Timeline(given, Fraction(1, 25), 1)
    given[1] = 7
    assert timeline.pts.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        timeline.pts[0] = 5


@pytest.mark.parametrize(
    ("stamps", "repaired"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30]),
        ([5], [5]),
        ([-20, -10, 0], [-20, -10, 0]),
        ([0, 20, 10, 30], [0, 10, 20, 30]),  # swapped neighbours
        ([1, 3, 4, 2, 6, 5, 7, 11, 10, 12, 9, 13], [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13]),
        ([0, 10, 10, 25, 40], [0, 10, 20, 25, 40]),  # repeated
        ([0, None, 20, None], [0, 10, 20, 30]),  # missing
        ([None, None, None], [7, 17, 27]),
        ([0, 10, 20, 20, 30, 40], [0, 10, 20, 25, 30, 40]),  # repeated, with no room for a step
        ([*range(0, 100, 10)] * 2, [*range(0, 200, 10)]),  # the recording starts again
    ],
)
def test_stamps_are_repaired_to_increase(stamps, repaired) -> None:
    assert list(repair_stamps(stamps, 10, start=7)) == repaired


def test_stamps_are_repaired_without_reading_far_ahead() -> None:
    taken: list[int] = []

    def stamps():
        for stamp in range(100):
            taken.append(stamp)
            yield stamp

    repaired = repair_stamps(stamps(), 1)
    assert [next(repaired), next(repaired)] == [0, 1]
    assert len(taken) == 2 + REORDER_DEPTH
