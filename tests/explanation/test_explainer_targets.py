"""Which classes and functions the maps of a clip explain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import video_cam
from clips.make_clips import draw_sample
from tests.support.explained_clips import assert_close, cams, explain, inputs
from tests.support.networks import PoolLinear
from tests.support.two_actions import CUT, FIRST, FIRST_CLASS, NUM_FRAMES, SECOND, SECOND_CLASS
from video_cam import Explanation
from video_cam.explanation.aggregation import fused
from video_cam.explanation.map_series import FunctionTarget


@pytest.mark.parametrize(
    ("options", "ranks"),
    [({}, [0]), ({"top_k": 2}, [0, 1]), ({"top_k": 2, "worst": True}, [0, 1, -1])],
)
def test_the_best_classes(options, ranks, bundled, sample_clip) -> None:
    explanation = explain(sample_clip, bundled, **options)
    ranked = np.argsort(-explanation.probabilities.mean(0))
    assert [series.class_id for series in explanation.maps] == [int(ranked[i]) for i in ranks]
    class_ids = [series.class_id for series in explanation.maps]
    expected = cams(sample_clip, explanation, bundled, targets=class_ids)
    for series, values in zip(explanation.maps, expected, strict=True):
        assert_close(series.values, values)
        assert series.label == bundled.labels[series.class_id]


def test_classes_by_id_and_name(bundled, sample_clip) -> None:
    explanation = explain(sample_clip, bundled, class_ids=[5, "spin"])
    spin = bundled.labels.index("spin")
    assert [series.class_id for series in explanation.maps] == [5, spin]
    expected = cams(sample_clip, explanation, bundled, targets=[5, spin])
    for series, values in zip(explanation.maps, expected, strict=True):
        assert_close(series.values, values)


def sums_over_time(explanation: Explanation, index: int) -> np.ndarray:
    """The positive part of the blended map at every frame, summed over its cells."""
    blend, values = explanation.blend(index), explanation.maps[index].values
    maps = [blend.at(values, frame / 16) for frame in range(NUM_FRAMES)]
    return np.array([0 if one is None else one.clip(min=0).sum() for one in maps])


def test_each_class_has_its_maximum_in_its_own_event(both_classes: Explanation) -> None:
    for index, name in enumerate((FIRST, SECOND)):
        sums = sums_over_time(both_classes, index)
        start, end = (CUT * index + frame for frame in draw_sample(name).event)
        assert start <= sums.argmax() < end
        own = sums[CUT * index : CUT * (index + 1)].sum()
        assert own > 0.7 * sums.sum()


def test_each_window_by_its_own_class(two_actions, bundled, both_classes) -> None:
    explanation = explain(
        two_actions, bundled, class_scope="window", detail="layers", align="receptive-field"
    )
    [series] = explanation.maps
    assert list(series.class_ids) == explanation.probabilities.argmax(1).tolist()
    labels = [bundled.labels[class_id] for class_id in series.class_ids]
    assert (labels[1], labels[-2]) == (FIRST_CLASS, SECOND_CLASS)
    np.testing.assert_allclose(
        explanation.window_scores(series), explanation.probabilities.max(1), rtol=1e-6
    )
    by_class = {one.class_id: one.values for one in both_classes.maps}
    compared = [window for window, one in enumerate(series.class_ids) if one in by_class]
    assert len({series.class_ids[window] for window in compared}) == 2
    for window in compared:
        assert_close(series.values[window], by_class[series.class_ids[window]][window])


def test_contrast_is_the_map_of_the_difference(two_actions, bundled) -> None:
    explanation = explain(two_actions, bundled, contrast=True)
    best, other = (p.class_id for p in explanation.predictions(2))
    [series] = explanation.maps
    assert series.class_id == best
    assert series.label == f"{bundled.labels[best]} rather than {bundled.labels[other]}"
    difference = [lambda outputs: outputs[:, best] - outputs[:, other]]
    [expected] = cams(two_actions, explanation, bundled, targets=difference)
    assert_close(series.values, expected)


def test_fused_layers_are_one_map(explanation, sample_clip, bundled) -> None:
    options = {"layers": ["layer4", "layer3"], "methods": ["gradcam"], "align": "probe"}
    [one] = explain(sample_clip, bundled, fuse="product", **options).maps
    single = [series for series in explanation.maps if series.method == "gradcam"]
    assert (one.layer, one.centres.grid) == ("product of layer4 and layer3", (8, 8, 8))
    assert_close(one.values, fused(single, "product").values)
    assert one.values.max() <= 1 and one.values.min() >= 0


def test_a_function_of_the_output_is_a_target(sample_clip: Path, tmp_path: Path) -> None:
    model = video_cam.load_model(PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)

    def margin(outputs: Tensor) -> Tensor:
        return outputs[:, 0] - outputs[:, 1]

    explanation = explain(sample_clip, model, targets=[margin], class_ids=[0, 1])
    zero, one, function = explanation.maps
    assert np.abs(function.values).max() > 1e-3
    # The map is linear in the score.
    np.testing.assert_allclose(function.values, zero.values - one.values, atol=1e-6)
    assert (function.label, function.target, function.class_id) == (
        "margin", FunctionTarget(0), None
    )  # fmt: skip
    with torch.no_grad():
        scores = margin(model.module(inputs(sample_clip, explanation, model)))
    np.testing.assert_allclose(explanation.window_scores(function), scores, atol=1e-5)
    explanation.save(tmp_path / "e.npz")
    loaded = Explanation.load(tmp_path / "e.npz")
    assert loaded.functions == ("margin",)
    assert loaded.score(FunctionTarget(0)) == explanation.score(FunctionTarget(0))


def test_a_function_may_be_named_by_its_file(sample_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "scores.py").write_text("def third(outputs):\n    return outputs[:, 2]\n")
    model = video_cam.load_model(PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)
    third = f"{tmp_path / 'scores.py'}:third"
    function, named = (
        explain(sample_clip, model, **options).maps[0]
        for options in ({"targets": third}, {"class_ids": 2})
    )
    assert function.label == "third"
    np.testing.assert_allclose(function.values, named.values, atol=1e-6)
