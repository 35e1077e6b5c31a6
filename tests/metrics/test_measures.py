"""Every measure against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from video_cam import UsageError, metrics


def mask_of(shape: tuple[int, int, int], *boxes: tuple[slice, slice, slice]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for box in boxes:
        mask[box] = True
    return mask


def hot(shape: tuple[int, int, int], *voxels: tuple[int, int, int]) -> np.ndarray:
    heat = np.zeros(shape)
    for voxel in voxels:
        heat[voxel] = 1.0
    return heat


TALL = np.s_[:, 2:18, 9:11]  # 16 rows, 2 columns of a 20 x 20 picture


# Pointing


def test_a_tall_thin_box_is_not_a_wide_flat_one() -> None:
    truth = mask_of((1, 20, 20), TALL)
    on_it = hot((1, 20, 20), (0, 3, 9))  # would miss, were x and y swapped
    beside = hot((1, 20, 20), (0, 9, 3))  # would hit, were they swapped
    for point in (metrics.space_pointing, lambda *a, **k: metrics.space_time_pointing(*a, **k)):
        assert point(on_it, truth, pixels=0) == 1
        assert point(beside, truth, pixels=0) == 0


def test_tolerance_is_counted_on_each_axis_by_itself() -> None:
    truth = mask_of((5, 20, 20), np.s_[2, 10, 10])
    corner = hot((5, 20, 20), (2, 13, 7))  # 3 rows and 3 columns off
    assert metrics.space_pointing(corner, truth, pixels=3) == 1
    assert metrics.space_pointing(corner, truth, pixels=2) == 0
    late = hot((5, 20, 20), (3, 10, 10))
    assert metrics.space_time_pointing(late, truth, frames=1, pixels=0) == 1
    assert metrics.space_time_pointing(late, truth, frames=0, pixels=0) == 0
    # In the truth's own frame that map is the same everywhere: one pixel of 400 is right.
    assert metrics.space_pointing(late, truth, pixels=0) == pytest.approx(1 / 400)


def test_space_pointing_is_a_mean_over_the_events_frames_alone() -> None:
    truth = mask_of((4, 8, 8), np.s_[1:3, 4:6, 4:6])
    heat = hot((4, 8, 8), (0, 4, 4), (1, 4, 5), (2, 0, 0), (3, 4, 4))
    assert metrics.space_pointing(heat, truth, pixels=0) == 0.5


def test_of_equally_hot_places_the_share_that_hits_counts() -> None:
    truth = mask_of((2, 8, 8), np.s_[0, 4, 4])
    heat = hot((2, 8, 8), (0, 4, 4), (0, 0, 0), (1, 4, 4), (1, 0, 7))
    assert metrics.space_pointing(heat, truth, pixels=0) == 1 / 2
    assert metrics.space_time_pointing(heat, truth, frames=0, pixels=0) == 1 / 4
    assert metrics.space_time_pointing(heat, truth, frames=1, pixels=0) == 2 / 4
    assert metrics.temporal_hit(heat, truth) == 1 / 2


def test_an_all_ones_map_gets_what_chance_would() -> None:
    truth = mask_of((4, 10, 10), np.s_[1:3, 0:2, 0:5])  # 10 of 100 pixels, 2 of 4 frames
    ones = np.ones((4, 10, 10))
    assert metrics.space_pointing(ones, truth, pixels=0) == pytest.approx(0.10)
    assert metrics.space_time_pointing(ones, truth, frames=0, pixels=0) == pytest.approx(0.05)
    assert metrics.space_pointing(ones, truth, pixels=1) == pytest.approx(0.18)  # 3 x 6 pixels
    assert metrics.mass_in_event(ones, truth) == pytest.approx(0.05)
    assert metrics.space_time_iou(ones, truth) == pytest.approx(0.05)
    assert metrics.temporal_hit(ones, truth) == 0.5
    assert metrics.lag(ones, truth) == 0.0
    assert math.isnan(metrics.onset_error(ones, truth))


def test_an_empty_truth_is_no_number() -> None:
    empty, heat = mask_of((4, 8, 8)), hot((4, 8, 8), (1, 2, 3))
    for name in (
        "space_pointing",
        "space_time_pointing",
        "mass_in_event",
        "space_time_iou",
        "temporal_hit",
        "onset_error",
        "lag",
    ):
        assert math.isnan(getattr(metrics, name)(heat, empty)), name


def test_an_empty_map_marks_nothing() -> None:
    truth = mask_of((4, 8, 8), np.s_[1:3, 4:6, 4:6])
    cold = np.full((4, 8, 8), -1.0)
    assert metrics.mass_in_event(cold, truth) == 0
    assert metrics.space_time_iou(cold, truth) == 0
    assert math.isnan(metrics.lag(cold, truth))


def test_shapes_and_numbers_are_checked() -> None:
    truth = mask_of((4, 8, 8))
    with pytest.raises(UsageError, match=r"\(8, 8, 4\).*\(4, 8, 8\)"):
        metrics.space_pointing(np.zeros((8, 8, 4)), truth)
    with pytest.raises(UsageError, match="not finite"):
        metrics.lag(np.full((4, 8, 8), np.nan), truth)


# Overlap


def test_mass_in_event_counts_the_positive_part() -> None:
    truth = mask_of((1, 2, 2), np.s_[0, 0, :])
    heat = torch.tensor([[[3.0, -5.0], [1.0, 0.0]]])
    assert metrics.mass_in_event(heat, truth) == 0.75


def test_iou_of_the_voxels_above_half_the_maximum() -> None:
    truth = mask_of((1, 2, 4), np.s_[0, :, 0:2])  # 4 voxels
    heat = np.array([[[10.0, 5.1, 6.0, 5.0], [9.0, 1.0, 0.0, -9.0]]])  # 4 above 5, 3 of them right
    assert metrics.space_time_iou(heat, truth) == 3 / 5
    assert metrics.space_time_iou(heat, truth, level=0.95) == 1 / 4


# Time


def in_time(*mass: float) -> np.ndarray:
    return np.array(mass)[:, None, None] * np.ones((1, 2, 2))


def test_onset_is_where_the_heat_rises_to_half_its_height() -> None:
    truth = mask_of((6, 2, 2), np.s_[2:5])
    assert metrics.onset_error(in_time(0, 0, 1, 1, 1, 0), truth) == 0.0  # both half way up at 1.5
    assert metrics.onset_error(in_time(0, 0, 0, 1, 3, 4), truth) == 2.0  # 2 of 4 at 3.5
    assert metrics.onset_error(in_time(5, 5, 5, 1, 1, 1), truth) == 1.5  # hot from the start
    assert metrics.onset_error(in_time(2, 2, 2, 2, 4, 4), truth) == 2.0  # a floor does not count


def test_lag_is_signed() -> None:
    truth = mask_of((6, 2, 2), np.s_[1:4])  # middle: frame 2
    assert metrics.lag(in_time(0, 0, 0, 1, 1, 0), truth) == 1.5
    assert metrics.lag(in_time(3, 1, 0, 0, 0, 0), truth) == -1.75
    assert metrics.lag(in_time(0, 1, 1, 1, -7, -7), truth) == 0.0


def test_temporal_hit_goes_by_the_frames_heat_not_by_its_hottest_pixel() -> None:
    truth = mask_of((2, 2, 2), np.s_[1])
    heat = np.array([[[3.0, 0], [0, 0]], [[1.0, 1], [1, 1]]])
    assert metrics.temporal_hit(heat, truth) == 1.0


# Insertion and deletion


def mean_score(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1).mean(1)


def test_deletion_and_insertion_of_a_linear_score() -> None:
    # The score is the mean pixel: 8 voxels, one of them 8 and the others 0, baseline 1 all over.
    x, heat = torch.zeros(1, 2, 2, 2), torch.zeros(2, 2, 2)
    x[0, 1, 0, 1], heat[1, 0, 1] = 8.0, 1.0
    options = {"baseline": "mean", "steps": 8}
    # Deleted: 1, 1/8, 2/8 ... 8/8. Inserted: 1, 15/8, 14/8 ... 8/8.
    deleted = [1, *(k / 8 for k in range(1, 9))]
    inserted = [1, *((16 - k) / 8 for k in range(1, 9))]
    expected = [float(np.trapezoid(np.array(y), dx=1 / 8)) for y in (deleted, inserted)]
    assert metrics.deletion(mean_score, x, heat, **options) == pytest.approx(expected[0])
    assert metrics.insertion(mean_score, x, heat, **options) == pytest.approx(expected[1])
    assert expected == pytest.approx([0.5625, 1.4375])


@pytest.mark.parametrize(
    ("unit", "expected"),
    # Frame 1 holds all of it, pixel (0, 1) holds all of it; two frames, four tubes. In two steps
    # frames leave 0.5 of the mean and then 1; tubes leave half of the four pixels' mean.
    [("frames", [1, 0.5, 1]), ("tubes", [1, 0.5, 1])],
)
def test_frames_and_tubes_go_as_a_whole(unit: str, expected: list[float]) -> None:
    x, heat = torch.zeros(1, 2, 2, 2), torch.zeros(2, 2, 2)
    x[0, 1, 0, 1], heat[1, 0, 1] = 8.0, 1.0
    found = metrics.deletion(mean_score, x, heat, unit=unit, baseline="mean", steps=2)
    assert found == pytest.approx(float(np.trapezoid(np.array(expected), dx=0.5)))


def test_ranks_share_within_units_and_ties_go_by_lot() -> None:
    volume = torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[0.5, 0.0], [9.0, 0.0]]])
    frames = metrics.rank_voxels(volume, "frames")
    assert frames[:, 0, 0].tolist() == [0.5, 0.0] and (frames == frames[:, :1, :1]).all()
    tubes = metrics.rank_voxels(volume, "tubes")  # sums 0.5, 1, 11, 3
    assert tubes[0].tolist() == [[0.75, 0.5], [0.0, 0.25]] and torch.equal(tubes[0], tubes[1])
    flat = metrics.rank_voxels(torch.ones(4, 8, 8)).flatten()
    assert sorted(flat.tolist()) == [i / 256 for i in range(256)]
    assert flat[:64].mean() == pytest.approx(0.5, abs=0.15)  # no frame goes first


def test_mean_baseline_is_the_clips_colour_and_blur_keeps_a_still_frame() -> None:
    x = torch.rand(3, 4, 16, 16)
    mean = metrics.baseline_of(x, "mean")
    torch.testing.assert_close(mean[1], x[1].mean().expand(4, 16, 16))
    plain = torch.full((3, 4, 16, 16), 0.7)
    torch.testing.assert_close(metrics.baseline_of(plain, "blur"), plain)


def test_blur_is_a_gaussian_of_an_eighth_of_the_side() -> None:
    x = torch.zeros(1, 1, 33, 33)
    x[0, 0, 16, 16] = 1.0
    blurred = metrics.baseline_of(x, "blur")[0, 0].double()
    sigma = 33 / 8
    gaussian = torch.exp(-0.5 * ((torch.arange(33) - 16) / sigma) ** 2)
    # 3 sigma reach 12 pixels: what lies beyond is left out.
    gaussian[(torch.arange(33) - 16).abs() > 12] = 0
    gaussian = gaussian / gaussian.sum()
    torch.testing.assert_close(blurred, torch.outer(gaussian, gaussian).double(), atol=1e-6, rtol=0)


def test_average_drop_and_increase() -> None:
    def of_the_first_pixel(x: torch.Tensor) -> torch.Tensor:
        return x[:, 0, 0, 0, 0] - x[:, 0, 0, 0, 1]

    x = torch.tensor([4.0, 1.0]).reshape(1, 1, 1, 2)
    score = of_the_first_pixel  # 3
    assert metrics.average_drop(score, x, torch.tensor([[[2.0, 2.0]]])) == (0.0, 0.0)  # all of it
    drop, increase = metrics.average_drop(score, x, torch.tensor([[[1.0, 2.0]]]))  # 2 - 1 of 3
    assert drop == pytest.approx(2 / 3) and increase == 0
    assert metrics.average_drop(score, x, torch.tensor([[[2.0, -1.0]]])) == (0.0, 1.0)  # 4 > 3
    assert all(map(math.isnan, metrics.average_drop(score, -x, torch.ones(1, 1, 2))))


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\(2, 4, 4\).*\(3, 2, 8, 8\)"):
        metrics.deletion(mean_score, torch.zeros(3, 2, 8, 8), torch.zeros(2, 4, 4))


# Intervals


def test_a_map_that_is_not_finite_and_no_steps_are_refused() -> None:
    x, broken = torch.ones(1, 1, 1, 2), torch.tensor([[[1.0, math.nan]]])
    for measure in (metrics.deletion, metrics.insertion, metrics.average_drop):
        with pytest.raises(UsageError, match="not finite"):
            measure(lambda clips: clips.sum((1, 2, 3, 4)), x, broken)
    with pytest.raises(UsageError, match="steps=0 must be 1 or more"):
        metrics.deletion(lambda clips: clips.sum((1, 2, 3, 4)), x, torch.ones(1, 1, 2), steps=0)


def test_bootstrap_of_a_constant_and_of_nothing() -> None:
    assert metrics.bootstrap([0.25] * 5) == (0.25, 0.25, 0.25)
    assert all(map(math.isnan, metrics.bootstrap([math.nan, math.nan])))
    assert metrics.bootstrap([1.0, math.nan, 3.0]).mean == 2.0


def test_bootstrap_of_a_share_agrees_with_the_binomial() -> None:
    values = [1.0] * 80 + [0.0] * 20
    mean, low, high = metrics.bootstrap(values)
    # Standard error sqrt(0.8 0.2 / 100) = 0.04.
    assert mean == 0.8
    assert low == pytest.approx(0.8 - 1.96 * 0.04, abs=0.012)
    assert high == pytest.approx(0.8 + 1.96 * 0.04, abs=0.012)


def test_a_paired_difference_is_sharper_than_its_parts() -> None:
    clips = np.random.default_rng(0).uniform(size=50)
    difference = metrics.paired_difference(clips + 0.1, clips)
    assert difference == pytest.approx((0.1, 0.1, 0.1))
    with pytest.raises(UsageError, match="50 values and 3 others"):
        metrics.paired_difference(clips, [1.0, 2.0, 3.0])
