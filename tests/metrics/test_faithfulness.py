"""Insertion, deletion and average drop against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from video_cam import UsageError, metrics


def mean_score(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1).mean(1)


def test_deletion_and_insertion_of_a_linear_score() -> None:
    # The score is the mean of 8 voxels, of which one is 8 and the others 0; the baseline is 1.
    x, values = torch.zeros(1, 2, 2, 2), torch.zeros(2, 2, 2)
    x[0, 1, 0, 1], values[1, 0, 1] = 8.0, 1.0
    options = {"baseline": "mean", "steps": 8}
    # Deleted: 1, 1/8, 2/8, ..., 8/8. Inserted: 1, 15/8, 14/8, ..., 8/8.
    deleted = [1, *(k / 8 for k in range(1, 9))]
    inserted = [1, *((16 - k) / 8 for k in range(1, 9))]
    expected = [float(np.trapezoid(np.array(y), dx=1 / 8)) for y in (deleted, inserted)]
    assert metrics.deletion(mean_score, x, values, **options) == pytest.approx(expected[0])
    assert metrics.insertion(mean_score, x, values, **options) == pytest.approx(expected[1])
    assert expected == pytest.approx([0.5625, 1.4375])


@pytest.mark.parametrize(
    ("unit", "expected"),
    # Sums of 8 voxels after every quarter; the baseline is the clip's mean, 12 / 8 = 1.5.
    [
        # The 8, the 4, then six voxels of 0 become 1.5, two in each step.
        ("voxels", [12, 3, 6, 9, 12]),
        # Frame 1 with the 8 leaves the 4 and four voxels of 1.5; frame 0 follows after the half.
        ("frames", [12, 10, 10, 12, 12]),
        # The tube with the 8 leaves the 4 and two voxels of 1.5; then the tube with the 4.
        ("tubes", [12, 7, 6, 9, 12]),
    ],
)
def test_frames_and_tubes_are_replaced_as_a_whole(unit: str, expected: list[float]) -> None:
    x, values = torch.zeros(1, 2, 2, 2), torch.zeros(2, 2, 2)
    x[0, 1, 0, 1], values[1, 0, 1] = 8.0, 3.0
    x[0, 0, 1, 0], values[0, 1, 0] = 4.0, 2.0
    area = metrics.deletion(mean_score, x, values, unit=unit, baseline="mean", steps=4)
    assert area == pytest.approx(float(np.trapezoid(np.array(expected) / 8, dx=1 / 4)))


def test_a_units_voxels_share_a_rank_and_ties_are_in_random_order() -> None:
    volume = torch.tensor([[[0.0, 1.0], [2.0, 3.0]], [[0.5, 0.0], [9.0, 0.0]]])
    frames = metrics.rank_voxels(volume, "frames")
    assert frames[:, 0, 0].tolist() == [0.5, 0.0] and (frames == frames[:, :1, :1]).all()
    tubes = metrics.rank_voxels(volume, "tubes")  # sums 0.5, 1, 11, 3
    assert tubes[0].tolist() == [[0.75, 0.5], [0.0, 0.25]] and torch.equal(tubes[0], tubes[1])
    # Sums count, not maxima: 15 of frame 0 beats 9.5, and 4.5 of tube (0, 0) beats 4.2.
    volume = torch.tensor([[[4.0, 4.2], [4.0, 2.8]], [[0.5, 0.0], [9.0, 0.0]]])
    assert metrics.rank_voxels(volume, "frames")[:, 0, 0].tolist() == [0.0, 0.5]
    assert metrics.rank_voxels(volume, "tubes")[0].tolist() == [[0.25, 0.5], [0.0, 0.75]]
    flat = metrics.rank_voxels(torch.ones(4, 8, 8)).flatten()
    assert sorted(flat.tolist()) == [i / 256 for i in range(256)]
    assert flat[:64].mean() == pytest.approx(0.5, abs=0.15)  # the first frame is not first


def test_the_mean_of_each_channel_and_the_blur_of_a_constant() -> None:
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
    # The blur is cut off at 3 sigma, 12 pixels.
    gaussian[(torch.arange(33) - 16).abs() > 12] = 0
    gaussian = gaussian / gaussian.sum()
    torch.testing.assert_close(blurred, torch.outer(gaussian, gaussian).double(), atol=1e-6, rtol=0)


def test_border_pixels_continue_beyond_the_frame() -> None:
    x = torch.zeros(1, 1, 33, 33)
    x[..., -1] = 1.0  # the right column
    blurred = metrics.baseline_of(x, "blur")[0, 0]
    # Half of the Gaussian at the last column lies beyond the border, where the frame is 1, too.
    assert (blurred[:, -1] > 0.5).all() and (blurred[:, :20] == 0).all()
    torch.testing.assert_close(blurred[0], blurred[16])


def test_average_drop_and_increase() -> None:
    def first_minus_second(x: torch.Tensor) -> torch.Tensor:
        return x[:, 0, 0, 0, 0] - x[:, 0, 0, 0, 1]

    x = torch.tensor([4.0, 1.0]).reshape(1, 1, 1, 2)
    score = first_minus_second  # 3 for the clip
    assert metrics.average_drop(score, x, torch.tensor([[[2.0, 2.0]]])) == (
        0.0,
        0.0,
    )  # all of the clip
    drop, increase = metrics.average_drop(score, x, torch.tensor([[[1.0, 2.0]]]))  # 2 - 1 of 3
    assert drop == pytest.approx(2 / 3) and increase == 0
    assert metrics.average_drop(score, x, torch.tensor([[[2.0, -1.0]]])) == (0.0, 1.0)  # 4 > 3
    assert all(map(math.isnan, metrics.average_drop(score, -x, torch.ones(1, 1, 2))))


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\(2, 4, 4\).*\(3, 2, 8, 8\)"):
        metrics.deletion(mean_score, torch.zeros(3, 2, 8, 8), torch.zeros(2, 4, 4))


def test_a_map_that_is_not_finite_and_zero_steps_are_refused() -> None:
    x, broken = torch.ones(1, 1, 1, 2), torch.tensor([[[1.0, math.nan]]])
    for measure in (metrics.deletion, metrics.insertion, metrics.average_drop):
        with pytest.raises(UsageError, match="not finite"):
            measure(lambda clips: clips.sum((1, 2, 3, 4)), x, broken)
    with pytest.raises(UsageError, match="steps=0 must be 1 or more"):
        metrics.deletion(lambda clips: clips.sum((1, 2, 3, 4)), x, torch.ones(1, 1, 2), steps=0)


def test_unknown_units_and_baselines_are_refused() -> None:
    x, values = torch.ones(1, 2, 2, 2), torch.ones(2, 2, 2)
    with pytest.raises(UsageError, match="unknown unit 'tube': did you mean tubes"):
        metrics.deletion(mean_score, x, values, unit="tube")
    with pytest.raises(UsageError, match="unknown baseline 'black'"):
        metrics.insertion(mean_score, x, values, baseline="black")
    for unit in metrics.UNITS:
        for baseline in metrics.BASELINES:
            area = metrics.deletion(mean_score, x, values, unit=unit, baseline=baseline)
            assert area == pytest.approx(1.0)
