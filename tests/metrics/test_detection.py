"""Average precision and the best IoU against their direct definitions, threshold by threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.volumes import mask_of, peaks
from video_cam import UsageError, metrics

MEASURES = (metrics.average_precision, metrics.best_iou)


def by_thresholds(volume: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Average precision and best IoU by a loop over all thresholds."""
    values = np.maximum(volume, 0)
    precision_sum, last_recall, best = 0.0, 0.0, 0.0
    for threshold in sorted(set(values.ravel().tolist()), reverse=True):
        found = values >= threshold
        hits = int((found & truth).sum())
        precision, recall = hits / int(found.sum()), hits / int(truth.sum())
        precision_sum += (recall - last_recall) * precision
        last_recall = recall
        best = max(best, hits / int((found | truth).sum()))
    return precision_sum, best


@pytest.mark.parametrize("levels", [3, 1000], ids=["many equal values", "few equal values"])
def test_random_maps_score_as_the_definition_says(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for share in (0.02, 0.3, 0.9):
        volume = rng.integers(-levels // 2, levels, (3, 6, 7)) / levels
        truth = rng.random((3, 6, 7)) < share
        truth[1, 2, 3] = True
        expected = by_thresholds(volume, truth)
        assert metrics.average_precision(volume, truth) == pytest.approx(expected[0], abs=1e-12)
        assert metrics.best_iou(volume, truth) == pytest.approx(expected[1], abs=1e-12)


def test_by_hand() -> None:
    truth = mask_of((1, 1, 4), np.s_[0, 0, [0, 2]])
    volume = np.array([[[0.9, 0.7, 0.5, -3.0]]])
    # Recall 1/2 with precision 1, then recall 1 with precision 2/3.
    assert metrics.average_precision(volume, truth) == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert metrics.best_iou(volume, truth) == pytest.approx(2 / 3)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_map_without_an_order_scores_the_share_of_the_event(measure) -> None:
    truth = mask_of((4, 10, 10), np.s_[1:3, 0:2, 0:5])  # 20 of 400 voxels
    for volume in (
        np.ones((4, 10, 10)),
        np.zeros((4, 10, 10)),
        np.arange(-400.0, 0).reshape(4, 10, 10),
    ):
        assert measure(volume, truth) == pytest.approx(0.05)


@pytest.mark.parametrize("measure", MEASURES)
def test_scale_and_sharpness_of_the_values_do_not_matter(measure) -> None:
    rng = np.random.default_rng(0)
    volume, truth = rng.random((3, 8, 8)), rng.random((3, 8, 8)) < 0.2
    assert measure(1e-3 * volume**3, truth) == pytest.approx(measure(volume, truth))
    assert measure(truth * 0.1, truth) == 1


@pytest.mark.parametrize("measure", MEASURES)
def test_an_empty_ground_truth_gives_no_number(measure) -> None:
    assert math.isnan(measure(peaks((4, 8, 8), (1, 2, 3)), mask_of((4, 8, 8))))


@pytest.mark.parametrize("measure", MEASURES)
def test_shapes_and_values_are_checked(measure) -> None:
    with pytest.raises(UsageError, match=r"\(8, 8, 4\) and the ground truth \(4, 8, 8\)"):
        measure(np.zeros((8, 8, 4)), mask_of((4, 8, 8)))
    with pytest.raises(UsageError, match="not finite"):
        measure(np.full((4, 8, 8), np.nan), mask_of((4, 8, 8)))
