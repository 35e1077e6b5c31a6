"""Window results put together by hand: own classes, contrast, functions, fused layers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.explanations import centres, map_series, window_result
from video_cam.explanation.aggregation import FUSE, aggregate, fused
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.explanation.target_selection import ExplainedTarget

A, B, C = map(ClassTarget, range(3))
F = FunctionTarget(0)
KEYS = [("late", "gradcam", "none"), ("late", "layercam", "none")]
LAYERS = {"late": centres([0.5, 2.5]), "early": centres([0.0, 1.0, 2.0, 3.0])}
METHODS = ("gradcam", "layercam")
CENTRES = {(x, method, "none"): own for x, own in LAYERS.items() for method in METHODS}


def values(series) -> list[list[float]]:
    """For each window the cells in time."""
    return series.values[:, :, 0, 0].tolist()


def one_class(*class_ids: int, **fields) -> ExplainedTarget:
    return ExplainedTarget(tuple(map(ClassTarget, class_ids)), "label", **fields)


def test_every_target_then_every_layer_and_method() -> None:
    results = [
        window_result(0, {A: [[1, 2], [3, 4]], B: [[5, 6], [7, 8]]}),
        window_result(1, {B: [[15, 16], [17, 18]], A: [[11, 12], [13, 14]]}),
    ]
    targets = [one_class(1, 1), one_class(0, 0)]
    series = list(aggregate(results, targets, KEYS, CENTRES, None, None))
    assert [(one.class_id, one.layer, one.method) for one in series] == [
        (1, "late", "gradcam"),
        (1, "late", "layercam"),
        (0, "late", "gradcam"),
        (0, "late", "layercam"),
    ]
    assert [values(one) for one in series] == [
        [[5, 6], [15, 16]],
        [[7, 8], [17, 18]],
        [[1, 2], [11, 12]],
        [[3, 4], [13, 14]],
    ]
    assert all(one.centres is LAYERS["late"] and one.class_ids == () for one in series)


def test_each_window_by_its_own_class() -> None:
    maps = {A: [[1, 1]], B: [[2, 2]], C: [[3, 3]]}
    results = [window_result(index, maps, logits=np.arange(3.0)) for index in range(3)]
    targets = [one_class(2, 1, 1, is_constant=False)]
    [series] = aggregate(results, targets, KEYS[:1], CENTRES, np.zeros(3), None)
    assert values(series) == [[3, 3], [2, 2], [2, 2]]
    assert (series.class_id, series.class_ids) == (1, (2, 1, 1))
    assert series.logits is None and series.bias is None  # not the maps of one class
    # In a tie the lowest id stands for the series.
    [tie] = aggregate(
        results[:2], [one_class(2, 1, is_constant=False)], KEYS[:1], CENTRES, None, None
    )
    assert tie.class_id == 1


def test_a_contrast_is_the_difference_of_two_maps() -> None:
    results = [
        window_result(0, {A: [[5, 6]], B: [[1, 3]]}),
        window_result(1, {A: [[7, 8]], C: [[10, 10]]}),
    ]
    targets = [one_class(0, 0, rivals=(B, C))]
    [series] = aggregate(results, targets, KEYS[:1], CENTRES, np.zeros(3), None)
    assert values(series) == [[4, 3], [-3, -2]]
    assert series.logits is None and series.bias is None


@pytest.mark.parametrize(
    ("biases", "bias"), [([0.0, 0.5, 0.0], 0.5), ([0.5, 0.0, 0.0], None), (None, None)]
)
def test_logits_and_the_bias_of_complete_maps(biases, bias) -> None:
    results = [
        window_result(index, {B: [cells]}, logits=np.array([9, logit, 9], np.float32))
        for index, (cells, logit) in enumerate([([1, 2], 3.5), ([4, 4], 8.5)])
    ]
    biases = None if biases is None else np.array(biases)
    [series] = aggregate(results, [one_class(1, 1)], KEYS[:1], CENTRES, biases, None)
    assert series.logits.tolist() == [3.5, 8.5] and series.bias == bias


def test_a_function_has_maps_but_no_logits() -> None:
    results = [window_result(index, {F: [[1, 2]]}) for index in range(2)]
    targets = [ExplainedTarget((F, F), "margin")]
    [series] = aggregate(results, targets, KEYS[:1], CENTRES, np.zeros(3), None)
    assert (series.target, series.class_id, series.label) == (F, None, "margin")
    assert values(series) == [[1, 2], [1, 2]]
    assert series.logits is None and series.frame_scores is None


def test_frame_scores_are_those_of_each_windows_class() -> None:
    results = [
        window_result(
            index,
            {A: [[1, 2]], B: [[1, 2]]},
            frame_scores={A: np.array([index, 0.1]), B: np.array([index, 0.2])},
        )
        for index in range(2)
    ]
    targets = [one_class(0, 1, is_constant=False), one_class(1, 1)]
    own, second = aggregate(results, targets, KEYS[:1], CENTRES, None, None)
    assert own.frame_scores.tolist() == [[0, 0.1], [1, 0.2]]
    assert second.frame_scores.tolist() == [[0, 0.2], [1, 0.2]]


def test_fusion_combines_the_layers_of_each_method() -> None:
    keys = [(layer, method, "none") for layer in LAYERS for method in METHODS]
    maps = {A: [[0, 2], [0, 4], [0, 2, 4, 8], [1, 1, 1, 1]]}
    results = [window_result(index, maps, logits=np.zeros(3)) for index in range(2)]
    series = list(aggregate(results, [one_class(0, 0)], keys, CENTRES, np.zeros(3), "mean"))
    assert [(one.layer, one.method) for one in series] == [
        ("mean of late and early", "gradcam"),
        ("mean of late and early", "layercam"),
    ]
    # The late layer's shares 0 and 1 at 0.5 and 2.5, seen from 0, 1, 2 and 3.
    late = np.array([0, 0.25, 0.75, 1])
    expected = [(late + np.array([0, 0.25, 0.5, 1])) / 2, (late + 1) / 2]
    for one, wanted in zip(series, expected, strict=True):
        np.testing.assert_allclose(values(one), [wanted, wanted], atol=1e-6)
        assert one.logits is None and one.bias is None


def test_maps_of_the_whole_input_bring_their_centres_and_are_not_fused() -> None:
    keys = [*CENTRES, ("input", "occlusion", "none")]
    places = {keys[-1]: centres([1.0, 2.0])}
    maps = {A: [[1, 2], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4], [0.5, 1.5]]}
    results = [
        window_result(index, maps, logits=np.full(3, 2.0), input_centres=places)
        for index in range(2)
    ]
    for fuse, count in ((None, 5), ("mean", 3)):
        series = list(aggregate(results, [one_class(0, 0)], keys, CENTRES, np.zeros(3), fuse))
        assert len(series) == count
        last = series[-1]
        assert (last.layer, last.method, last.detail) == ("input", "occlusion", "none")
        assert last.centres is places[keys[-1]] and values(last) == [[0.5, 1.5]] * 2
        # It sums to the logit, but says nothing of a linear head.
        assert last.bias is None and last.logits.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        # Shares of the peak: coarse 0.5, 1; fine -0.5, 0, 1, 0.25; coarse at 0, 2, 4, 6 of 1 ... 5
        ("mean", [(0.5 - 0.5) / 2, (0.625 + 0) / 2, (0.875 + 1) / 2, (1 + 0.25) / 2]),
        ("max", [0.5, 0.625, 1, 1]),
        ("product", [0, 0, 0.875**0.5, 0.5]),
    ],
)
def test_fused_layers_by_hand(how: str, expected: list[float]) -> None:
    coarse = map_series([[2, 4]], [1, 5], layer="late")
    fine = map_series([[-4, 0, 8, 2]], [0, 2, 4, 6], layer="early")
    one = fused([coarse, fine], how)
    assert values(one)[0] == pytest.approx(expected)
    assert one.centres.t.tolist() == [0, 2, 4, 6]
    assert one.layer == f"{how} of late and early"
    assert set(FUSE) == {"mean", "max", "product"}


def test_a_layer_without_positive_values_adds_nothing() -> None:
    empty = map_series([[-1, -2]], [0, 1], layer="late")
    other = map_series([[1, 2]], [0, 1], layer="early")
    assert values(fused([empty, other], "mean")) == [[0.25, 0.5]]
