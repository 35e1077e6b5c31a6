"""The whole first pass: each option by its effect on windows, classes and maps."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import video_cam
from clips.make_clips import draw_sample
from tests.support.explanations import window_result
from tests.support.media import cut_file, damage_packets, moving_square, write_clip
from tests.support.networks import PoolLinear
from tests.support.two_actions import CUT, FIRST, FIRST_CLASS, NUM_FRAMES, SECOND, SECOND_CLASS
from video_cam import Classifier, ClipError, Explanation, UsageError
from video_cam.config import ExplainConfig
from video_cam.explanation.aggregation import fused
from video_cam.explanation.clip_plan import plan_clip
from video_cam.explanation.explainer import explain_clip, explain_plan
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.explanation.window_result import WindowResult, split_windows
from video_cam.explanation.window_runner import WindowRunner
from video_cam.models import registry as models
from video_cam.models.registry import BUNDLED
from video_cam.models.weights import WeightsUnavailable
from video_cam.video.clip import Clip

PLAIN = {"align": "half-pixel"}  # an alignment that need not be measured


def explain(path: Path, model: Classifier, **options: Any) -> Explanation:
    return video_cam.explain(path, model, **PLAIN | options)


def inputs(path: Path, explanation: Explanation, model: Classifier) -> Tensor:
    """The network's inputs (W, 3, N, H, W), from all frames of the clip decoded in order."""
    with Clip.open(path).frames() as reader:
        frames = [model.preprocess.frame(frame.rgb()) for frame in reader]
    return model.preprocess.tensor(
        np.stack([[frames[i] for i in window] for window in explanation.frame_indices])
    )


def cams(path: Path, explanation: Explanation, model: Classifier, **options: Any) -> list[Any]:
    """What compute_cams makes of the frames that the explanation says the network saw."""
    x = inputs(path, explanation, model)
    maps = video_cam.compute_cams(model.module, x, **{"layers": ["layer4"]} | PLAIN | options)
    return [cam.values for cam in maps]


def assert_close(values: np.ndarray, expected: Any) -> None:
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-5)


def ends(explanation: Explanation) -> list[list[int]]:
    """First and last frame of each window."""
    return explanation.frame_indices[:, [0, -1]].tolist()


# Maps and scores


def test_maps_are_those_of_compute_cams(explanation, bundled, sample_clip) -> None:
    x = inputs(sample_clip, explanation, bundled)
    expected = video_cam.compute_cams(
        bundled.module,
        x,
        layers=["layer4", "layer3"],
        methods=["gradcam", "layercam"],
        targets=[explanation.maps[0].class_id],
        align="probe",
    )
    assert len(explanation.maps) == len(expected) == 4
    for series, wanted in zip(explanation.maps, expected, strict=True):
        assert (series.layer, series.method) == (wanted.layer, wanted.method)
        assert_close(series.values, wanted.values)
        np.testing.assert_array_equal(series.centres.t, wanted.centres.t)


def test_predictions_are_the_mean_over_windows(explanation, bundled, sample_clip) -> None:
    x = inputs(sample_clip, explanation, bundled)
    with torch.no_grad():
        probabilities = bundled.module(x).softmax(1).mean(0)
    best = explanation.predictions(3)
    assert [p.class_id for p in best] == probabilities.topk(3).indices.tolist()
    assert [p.score for p in best] == pytest.approx(probabilities.topk(3).values.tolist(), rel=1e-4)
    assert best[0].label == sample_clip.stem.replace("_", " ")
    assert explanation.maps[0].class_id == best[0].class_id


# Frames and windows


@pytest.mark.parametrize(
    ("options", "windows", "span"),
    [
        ({}, [[0, 15], [8, 23], [16, 31]], (0, 32)),
        ({"start": 0.25, "end": 1.5}, [[4, 19], [8, 23]], (4, 24)),
        ({"start": 0.95}, [[16, 31]], (16, 32)),
        ({"window_stride": 4}, [[0, 15], [4, 19], [8, 23], [12, 27], [16, 31]], (0, 32)),
        ({"frame_rate": 8}, [[0, 30], [1, 31]], (0, 32)),
        ({"num_frames": 24}, [[0, 23], [8, 31]], (0, 32)),
        ({"sampling": "uniform"}, [[1, 31]], (0, 32)),
        ({"sampling": "uniform", "end": 1.0}, [[0, 15]], (0, 16)),
    ],
)
def test_the_network_sees_the_windows_that_were_asked_for(
    options, windows, span, bundled, sample_clip
) -> None:
    explanation = explain(sample_clip, bundled, class_ids=[3], **options)
    assert (explanation.span, ends(explanation)) == (span, windows)
    [expected] = cams(sample_clip, explanation, bundled, targets=[3])
    assert_close(explanation.maps[0].values, expected)


def test_a_clip_shorter_than_a_window_is_padded_and_noted(bundled, tmp_path) -> None:
    short = write_clip(tmp_path / "short.mp4", 5, time_base=Fraction(1, 16))
    explanation = explain(short, bundled)
    assert explanation.frame_indices.tolist() == [[0, 1, 2, 3, *[4] * 12]]
    assert explanation.num_padded.tolist() == [11]
    [note] = explanation.notes
    assert "5 of the 16 frames" in note


def test_batches_do_not_change_the_result(explanation, bundled, sample_clip) -> None:
    sizes: list[int] = []
    hook = bundled.module.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    with hook:
        one_by_one = explain(sample_clip, bundled, batch_size=1)
    assert sizes[-3:] == [1, 1, 1]
    assert_close(one_by_one.maps[0].values, explanation.maps[0].values)


def test_windows_keep_to_their_scene(two_actions, bundled) -> None:
    pytest.importorskip("scenedetect")
    explanation = explain(two_actions, bundled, split_scenes=True)
    assert explanation.scenes == ((0, CUT), (CUT, NUM_FRAMES))
    assert ends(explanation) == [[0, 15], [8, 23], [16, 31], [32, 47], [40, 55], [48, 63]]
    assert explanation.notes == ("2 scenes; no window runs across a cut",)
    # At the cut, only windows of one side are blended.
    before, after = (explanation.blend().weights((CUT + side) / 16) for side in (-0.01, 0.01))
    assert {one.window for one in before} == {2} and {one.window for one in after} == {3}


def test_windows_across_a_cut_are_noted(both_classes: Explanation) -> None:
    assert any(first < CUT <= last for first, last in ends(both_classes))
    [note] = both_classes.notes
    assert "hard cut at 2.00 s: " in note


def test_pictures_of_a_folder_are_scored_one_by_one(tmp_path) -> None:
    pictures = [draw_sample(name).frames[0] for name in (FIRST, SECOND)]
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(9):
        write_clip(folder / f"{index:02d}.png", [pictures[index % 2]], codec="png", pix_fmt="rgb24")
    model = video_cam.load_model("resnet18", "none", size=(64, 64), num_frames=6)
    explanation = explain(folder, model)
    assert explanation.frame_indices.tolist() == [[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8]]
    series = explanation.maps[0]
    alone = explain(folder / "01.png", model, class_ids=series.class_id)
    own = alone.maps[0].values[0, 0].ravel()
    blended = explanation.blend().at(series.values, 3 / 25)  # the same picture
    assert blended is not None and np.corrcoef(blended.ravel(), own)[0, 1] > 0.9999
    scores = [explanation.scores_of_frames()[index] for index in range(9)]
    assert scores[1] == pytest.approx(alone.score(series.target), rel=1e-4)
    assert len(np.unique(np.round(scores, 6))) == 2


# Classes and functions


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
    explanation = explain(two_actions, bundled, class_scope="window")
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


# Options


def test_single_names_and_plain_numbers_are_accepted(bundled, sample_clip) -> None:
    plain = explain(
        sample_clip, bundled, methods="layercam", layers="layer3", class_ids=np.int64(2),
        frame_rate=8.0,
    )  # fmt: skip
    exact = explain(
        sample_clip, bundled, methods=["layercam"], layers=["layer3"], class_ids=[2],
        frame_rate=Fraction(8),
    )  # fmt: skip
    np.testing.assert_array_equal(plain.maps[0].values, exact.maps[0].values)
    assert (plain.maps[0].method, plain.maps[0].layer) == ("layercam", "layer3")
    assert plain.frame_indices[0].tolist() == list(range(0, 32, 2))
    assert plain.options == exact.options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": ["gradcam"]}, "unknown option 'method': did you mean methods"),
        ({"methods": ["gradcamm"]}, "did you mean gradcam"),
        ({"layers": ["layer9"]}, "unknown layer 'layer9'"),
        ({"sampling": "all"}, "windows, uniform"),
        ({"window_stride": 0}, "window_stride 0 must be above 0"),
        ({"start": 99.0}, "the clip runs from"),
        ({"class_ids": ["spinn"]}, "did you mean spin"),
        ({"methods": []}, "no method is named"),
        ({"start": float("nan")}, "start nan must be a finite number"),
        ({"end": float("inf")}, "end inf must be a finite number"),
        ({"contrast": True, "methods": ["layercam"]}, "not layercam"),
        ({"contrast": True, "eigen_smooth": True}, "not those of eigen_smooth"),
        ({"class_scope": "window", "class_ids": [1]}, "leave class_ids out"),
        ({"class_scope": "frame"}, "video, window"),
        ({"fuse": "sum"}, "product, mean, max"),
    ],
)
def test_wrong_options(options, words, bundled, sample_clip) -> None:
    with pytest.raises(UsageError, match=words):
        explain(sample_clip, bundled, **options)


def test_wrong_arguments(bundled, sample_clip) -> None:
    with pytest.raises(UsageError, match="the clip is 3, expected a path"):
        explain(3, bundled)
    with pytest.raises(UsageError, match=r"the network is a \w+, expected what load_model returns"):
        explain(sample_clip, bundled.module)


# Notes, damaged files and networks


def test_the_network_that_stands_in_is_named_in_the_results(
    sample_clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_download(*_: object) -> None:
        raise WeightsUnavailable("no weights here")

    monkeypatch.setattr(models, "download", no_download)
    explanation = explain(sample_clip, video_cam.load_model())
    assert explanation.notes == (models.STAND_IN,)


def test_untrained_networks_are_noted(sample_clip) -> None:
    explanation = explain(sample_clip, video_cam.load_model(BUNDLED, "none"))
    assert explanation.notes == ("untrained network: the maps mean nothing",)


def test_maps_without_positive_values_are_noted(sample_clip) -> None:
    model = video_cam.load_model(PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)
    torch.nn.init.constant_(model.module.fc.weight, -1.0)
    explanation = explain(sample_clip, model, methods=["hirescam"], class_ids=[0])
    assert not (explanation.maps[0].values > 0).any()
    assert any(
        note.startswith("no heat in the maps of class 0 (hirescam ") for note in explanation.notes
    )


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_truncated_clip_gives_what_decodes_and_says_how_much(suffix, bundled, tmp_path) -> None:
    path = write_clip(
        tmp_path / f"cut.{suffix}",
        moving_square(60, 128, 96),
        time_base=Fraction(1, 16) if suffix == "mp4" else Fraction(1, 1000),
        pts=None if suffix == "mp4" else [round(62.5 * k) for k in range(60)],
        container_options={"movflags": "+faststart"} if suffix == "mp4" else None,
    )
    cut_file(path, 0.8)
    explanation = explain(path, bundled)
    num_frames = explanation.timeline.num_frames
    assert 5 < num_frames < 60
    assert explanation.frame_indices[-1, -1] == num_frames - 1
    # Matroska announces a duration, not a count.
    expected = rf"decoded {num_frames} of 6[01] frames: the file is incomplete"
    assert any(re.fullmatch(expected, note) for note in explanation.notes)


def test_frames_lost_in_the_middle_are_left_out_of_the_plan(bundled, tmp_path) -> None:
    path = write_clip(tmp_path / "hurt.mp4", 60, time_base=Fraction(1, 16), options={"g": "1"})
    damage_packets(path, [20, 21])
    explanation = explain(path, bundled)
    stamps = explanation.timeline.pts * explanation.timeline.time_base * 16
    assert stamps.tolist() == [*range(20), *range(22, 60)]
    assert explanation.frame_indices[-1, -1] == 57
    assert "2 damaged packets were skipped" in explanation.notes
    [expected] = cams(path, explanation, bundled, targets=[explanation.maps[0].class_id])
    assert_close(explanation.maps[0].values, expected)


def test_weights_that_give_no_numbers_are_reported(sample_clip) -> None:
    model = video_cam.load_model(BUNDLED, "none")
    torch.nn.init.constant_(model.module.fc.weight, float("nan"))
    with pytest.raises(ClipError, match="not finite"):
        explain(sample_clip, model)


# A plan that is run elsewhere


@pytest.mark.parametrize("options", [{"class_ids": ("grow",)}, {"top_k": 2, "worst": True}])
def test_parts_put_together_are_the_whole(options, bundled, tmp_path) -> None:
    config = ExplainConfig(**PLAIN | options)
    clip = Clip.open(write_clip(tmp_path / "v.mp4", moving_square(90)))
    plan = plan_clip(clip, bundled, config)
    passes = []

    def run_in_parts(indices, class_ids) -> Iterator[WindowResult]:
        """Each part by a runner of its own, as on an actor; the last part first."""
        passes.append(class_ids)
        for part in reversed(split_windows(indices, 3, plan.batch_size)):
            yield from WindowRunner(plan, bundled, config).run(part, class_ids)

    whole = explain_clip(clip, bundled, config)
    parts = explain_plan(plan, config, run_in_parts, time.perf_counter())
    assert passes[0] is None and len(plan.windows) > plan.batch_size
    assert parts.probabilities.tobytes() == whole.probabilities.tobytes()
    assert [m.target for m in parts.maps] == [m.target for m in whole.maps]
    assert parts.notes == whole.notes
    for a, b in zip(parts.maps, whole.maps, strict=True):
        # A class that only a part, or only the whole, took for likely is explained in a second
        # pass, in batches of other windows.
        np.testing.assert_allclose(a.values, b.values, atol=1e-6)


class HandMade:
    """Runs windows without a network: all three scores of each window, maps of some classes."""

    def __init__(self, explained: Sequence[Sequence[int]]) -> None:
        self.explained = explained  # for each window, in the first pass
        self.passes: list[tuple[list[int], Sequence[int] | None]] = []

    def __call__(
        self, indices: Sequence[int], class_ids: Sequence[int] | None
    ) -> Iterator[WindowResult]:
        self.passes.append((list(indices), class_ids))
        for index in reversed(indices):
            classes = self.explained[index] if class_ids is None else class_ids
            maps = {ClassTarget(i): [[10 * index + i] * 2] for i in classes}
            scores = np.array([0.1, 0.2, 0.7] if index else [0.1, 0.8, 0.1], np.float32)
            yield window_result(index, maps, probabilities=scores, logits=scores)


@pytest.mark.parametrize(
    ("options", "explained", "second"),
    [
        ({}, [[1, 2]] * 3, None),  # class 2 is the clip's best
        ({}, [[1], [2], [0, 2]], ([0], [2])),
        ({"top_k": 2}, [[1], [2], [2]], ([0, 1, 2], [1, 2])),
        ({"worst": True}, [[1, 2]] * 3, ([0, 1, 2], [0])),
        ({"contrast": True}, [[1, 2], [2], [2, 1]], ([1], [1])),
        ({"class_scope": "window"}, [[1], [2], [2]], None),
        ({"class_ids": ("0",)}, [[0]] * 3, None),
    ],
)
def test_a_second_pass_runs_only_what_is_missing(
    options, explained, second, sample_clip, bundled
) -> None:
    plan = plan_clip(Clip.open(sample_clip), bundled, ExplainConfig(**PLAIN))
    plan = dataclasses.replace(
        plan,
        labels=("ant", "bee", "cat"),
        class_ids=tuple(map(int, options.get("class_ids", ()))),
        head_biases=None,
    )
    run = HandMade(explained)
    explanation = explain_plan(plan, ExplainConfig(**options), run, time.perf_counter())
    assert run.passes == [([0, 1, 2], None), *([second] if second else [])]
    assert explanation.probabilities[:, 1].tolist() == pytest.approx([0.8, 0.2, 0.2])
    series = explanation.maps[0]
    own = series.class_ids or [series.class_id] * 3
    values = [10 * window + class_id for window, class_id in enumerate(own)]
    if options.get("contrast"):
        values = [1, 1, 1]  # class 2 minus class 1
    assert series.values[:, 0, 0, 0].tolist() == values


def test_the_seconds_of_the_first_pass_are_measured(sample_clip, bundled) -> None:
    began = time.perf_counter()
    explanation = explain(sample_clip, bundled)
    assert 0 < explanation.seconds["explain"] < time.perf_counter() - began
