"""Pointing games, mass in the event and IoU against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.support.volumes import mask_of, peaks
from video_cam import UsageError, metrics
from video_cam.metrics.localization import dilated

TALL = np.s_[:, 2:18, 9:11]  # 16 rows, 2 columns of a 20 x 20 frame


def test_a_tall_thin_box_is_not_a_wide_flat_one() -> None:
    truth = mask_of((1, 20, 20), TALL)
    inside = peaks((1, 20, 20), (0, 3, 9))  # would miss if x and y were exchanged
    outside = peaks((1, 20, 20), (0, 9, 3))  # would hit if they were exchanged
    for pointing in (metrics.space_pointing, metrics.space_time_pointing):
        assert pointing(inside, truth, pixels=0) == 1
        assert pointing(outside, truth, pixels=0) == 0


def test_the_tolerance_applies_to_each_axis() -> None:
    truth = mask_of((5, 20, 20), np.s_[2, 10, 10])
    corner = peaks((5, 20, 20), (2, 13, 7))  # 3 rows and 3 columns away
    assert metrics.space_pointing(corner, truth, pixels=3) == 1
    assert metrics.space_pointing(corner, truth, pixels=2) == 0
    late = peaks((5, 20, 20), (3, 10, 10))
    assert metrics.space_time_pointing(late, truth, frames=1, pixels=0) == 1
    assert metrics.space_time_pointing(late, truth, frames=0, pixels=0) == 0
    # In the event's own frame that map is constant: one pixel of 400 is inside.
    assert metrics.space_pointing(late, truth, pixels=0) == pytest.approx(1 / 400)


def test_space_pointing_is_a_mean_over_the_events_frames() -> None:
    truth = mask_of((4, 8, 8), np.s_[1:3, 4:6, 4:6])
    values = peaks((4, 8, 8), (0, 4, 4), (1, 4, 5), (2, 0, 0), (3, 4, 4))
    assert metrics.space_pointing(values, truth, pixels=0) == 0.5


def test_space_pointing_has_no_tolerance_in_time() -> None:
    truth = mask_of((3, 8, 8), np.s_[1, 1, 1], np.s_[2, 6, 6])
    early = peaks((3, 8, 8), (1, 6, 6), (2, 6, 6))  # in frame 1 where the event is in frame 2
    assert metrics.space_pointing(early, truth, pixels=0) == 0.5


def test_of_equal_maxima_the_fraction_inside_counts() -> None:
    truth = mask_of((2, 8, 8), np.s_[0, 4, 4])
    values = peaks((2, 8, 8), (0, 4, 4), (0, 0, 0), (1, 4, 4), (1, 0, 7))
    assert metrics.space_pointing(values, truth, pixels=0) == 1 / 2
    assert metrics.space_time_pointing(values, truth, frames=0, pixels=0) == 1 / 4
    assert metrics.space_time_pointing(values, truth, frames=1, pixels=0) == 2 / 4


def test_a_constant_map_scores_as_chance_does() -> None:
    truth = mask_of((4, 10, 10), np.s_[1:3, 0:2, 0:5])  # 10 of 100 pixels, 2 of 4 frames
    ones = np.ones((4, 10, 10))
    assert metrics.space_pointing(ones, truth, pixels=0) == pytest.approx(0.10)
    assert metrics.space_time_pointing(ones, truth, frames=0, pixels=0) == pytest.approx(0.05)
    assert metrics.space_pointing(ones, truth, pixels=1) == pytest.approx(0.18)  # 3 x 6 pixels
    assert metrics.mass_in_event(ones, truth) == pytest.approx(0.05)
    assert metrics.space_time_iou(ones, truth) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "measure",
    [
        metrics.space_pointing,
        metrics.space_time_pointing,
        metrics.mass_in_event,
        metrics.space_time_iou,
    ],
)
def test_an_empty_ground_truth_gives_no_number(measure) -> None:
    values = peaks((4, 8, 8), (1, 2, 3))
    assert math.isnan(measure(values, mask_of((4, 8, 8))))
    assert measure(values, mask_of((4, 8, 8), np.s_[1, 2, 3])) == 1  # and one that is not, does


def test_a_map_without_positive_values_marks_nothing() -> None:
    truth = mask_of((4, 8, 8), np.s_[1:3, 4:6, 4:6])
    negative = np.full((4, 8, 8), -1.0)
    negative[1, 4, 4] = -0.1
    for values in (negative, np.zeros((4, 8, 8))):
        assert metrics.mass_in_event(values, truth) == 0
        assert metrics.space_time_iou(values, truth, level=1.0) == 0


def test_mass_in_event_counts_positive_values() -> None:
    truth = mask_of((1, 2, 2), np.s_[0, 0, :])
    values = torch.tensor([[[3.0, -5.0], [1.0, 0.0]]])
    assert metrics.mass_in_event(values, truth) == 0.75


def test_iou_of_the_voxels_above_half_the_maximum() -> None:
    truth = mask_of((1, 2, 4), np.s_[0, :, 0:2])  # 4 voxels
    # 4 voxels above 5, 3 of them in the ground truth.
    values = np.array([[[10.0, 5.1, 6.0, 5.0], [9.0, 1.0, 0.0, -9.0]]])
    assert metrics.space_time_iou(values, truth) == 3 / 5
    assert metrics.space_time_iou(values, truth, level=0.95) == 1 / 4


def test_a_mask_is_dilated_along_each_axis_and_stops_at_the_border() -> None:
    mask = mask_of((3, 4, 5), np.s_[0, 3, 2])
    expected = mask_of((3, 4, 5), np.s_[0:2, 3, 0:5])
    np.testing.assert_array_equal(dilated(mask, (1, 0, 2)), expected)
    np.testing.assert_array_equal(dilated(mask, (0, 0, 0)), mask)


@pytest.mark.parametrize(
    "measure",
    [
        metrics.space_pointing,
        metrics.space_time_pointing,
        metrics.mass_in_event,
        metrics.space_time_iou,
    ],
)
def test_shapes_and_values_are_checked(measure) -> None:
    truth = mask_of((4, 8, 8))
    with pytest.raises(UsageError, match=r"\(8, 8, 4\) and the ground truth \(4, 8, 8\)"):
        measure(np.zeros((8, 8, 4)), truth)
    with pytest.raises(UsageError, match=r"\(8, 8\) and the ground truth \(8, 8\)"):
        measure(np.zeros((8, 8)), truth[0])
    with pytest.raises(UsageError, match="not finite"):
        measure(np.full((4, 8, 8), np.nan), truth)
