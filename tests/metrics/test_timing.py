"""When a map comes, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.volumes import frames_of_mass, mask_of, peaks
from video_cam import UsageError, metrics


def test_an_onset_is_where_the_mass_reaches_half_its_height() -> None:
    truth = mask_of((6, 2, 2), np.s_[2:5])
    # Both reach half their height at 1.5.
    assert metrics.onset_error(frames_of_mass(0, 0, 1, 1, 1, 0), truth) == 0.0
    # 2 of 4 at frame 3.5.
    assert metrics.onset_error(frames_of_mass(0, 0, 0, 1, 3, 4), truth) == 2.0
    # Largest in the first frame.
    assert metrics.onset_error(frames_of_mass(5, 5, 5, 1, 1, 1), truth) == 1.5
    # What all frames have does not count.
    assert metrics.onset_error(frames_of_mass(2, 2, 2, 2, 4, 4), truth) == 2.0
    # 1 of 4 at frame 3.
    assert metrics.onset_error(frames_of_mass(0, 0, 0, 1, 3, 4), truth, level=0.25) == 1.75


def test_the_lag_is_positive_for_a_late_map() -> None:
    truth = mask_of((6, 2, 2), np.s_[1:4])  # its middle is frame 2
    assert metrics.lag(frames_of_mass(0, 0, 0, 1, 1, 0), truth) == 1.5
    assert metrics.lag(frames_of_mass(3, 1, 0, 0, 0, 0), truth) == -1.75
    assert metrics.lag(frames_of_mass(0, 1, 1, 1, -7, -7), truth) == 0.0


def test_the_frame_with_the_largest_mass_counts_not_the_largest_pixel() -> None:
    truth = mask_of((2, 2, 2), np.s_[1])
    values = np.array([[[3.0, 0], [0, 0]], [[1.0, 1], [1, 1]]])
    assert metrics.temporal_hit(values, truth) == 1.0
    assert metrics.temporal_hit(values[::-1], truth) == 0.0


def test_of_frames_with_equal_mass_the_fraction_in_the_event_counts() -> None:
    truth = mask_of((2, 8, 8), np.s_[0, 4, 4])
    values = peaks((2, 8, 8), (0, 4, 4), (0, 0, 0), (1, 4, 4), (1, 0, 7))
    assert metrics.temporal_hit(values, truth) == 1 / 2


def test_temporal_iou_is_of_frames_with_enough_mass() -> None:
    truth = mask_of((6, 2, 2), np.s_[1:4])
    # Of 4 frames above 2, two are among the event's three.
    assert metrics.temporal_iou(frames_of_mass(0, 0, 3, 4, 3, 3), truth) == 2 / 5
    assert metrics.temporal_iou(frames_of_mass(0, 0, 2, 4, 2, 0), truth) == 1 / 3
    assert metrics.temporal_iou(frames_of_mass(0, 0, 2, 4, 2, 0), truth, level=0.4) == 2 / 4
    assert metrics.temporal_iou(np.zeros((6, 2, 2)), truth) == 0
    assert math.isnan(metrics.temporal_iou(np.ones((6, 2, 2)), np.zeros((6, 2, 2), bool)))


@pytest.mark.parametrize(
    ("mass", "frame", "distance"),
    [
        ((0, 1, 4, 1, 0, 3), 2, 0),
        ((0, 1, 4, 1, 0, 3), 4.5, 0.5),
        ((0, 1, 4, 1, 0, 1), 5, 3),  # 1 is no half of 4
        ((0, 4, 4, 4, 0, 0), 3, 0),  # a row of equal mass
        ((0, 4, 4, 4, 0, 0), 5, 2),
        ((4, 4, 4, 4, 4, 4), 5, 0),
        ((4, 3, 2, 3, 2, 1), 2.5, 0.5),
        ((3, 4, 2, 0, 0, 0), 0, 1),  # on the slope of a peak
    ],
)
def test_the_distance_from_a_moment_to_the_nearest_peak(mass, frame, distance) -> None:
    assert metrics.peak_distance(frames_of_mass(*mass), frame) == distance


def test_a_map_without_heat_has_no_peak() -> None:
    assert math.isnan(metrics.peak_distance(-np.ones((4, 2, 2)), 1))


def test_a_constant_map_has_no_onset_and_no_lag() -> None:
    truth = mask_of((4, 10, 10), np.s_[1:3, 0:2, 0:5])  # its middle is that of the clip
    ones = np.ones((4, 10, 10))
    assert metrics.temporal_hit(ones, truth) == 0.5
    assert metrics.lag(ones, truth) == 0.0
    assert math.isnan(metrics.onset_error(ones, truth))


def test_a_map_without_positive_values_has_no_lag() -> None:
    truth = mask_of((4, 8, 8), np.s_[1:3, 4:6, 4:6])
    with np.errstate(all="raise"):  # nothing is divided by 0
        assert math.isnan(metrics.lag(np.full((4, 8, 8), -1.0), truth))


@pytest.mark.parametrize("measure", [metrics.temporal_hit, metrics.onset_error, metrics.lag])
def test_an_empty_ground_truth_gives_no_number(measure) -> None:
    values = peaks((4, 8, 8), (1, 2, 3))
    assert math.isnan(measure(values, mask_of((4, 8, 8))))
    assert not math.isnan(measure(values, mask_of((4, 8, 8), np.s_[1, 2, 3])))


@pytest.mark.parametrize("measure", [metrics.temporal_hit, metrics.onset_error, metrics.lag])
def test_shapes_and_values_are_checked(measure) -> None:
    truth = mask_of((4, 8, 8))
    with pytest.raises(UsageError, match=r"\(8, 8, 4\) and the ground truth \(4, 8, 8\)"):
        measure(np.zeros((8, 8, 4)), truth)
    with pytest.raises(UsageError, match="not finite"):
        measure(np.full((4, 8, 8), np.nan), truth)
