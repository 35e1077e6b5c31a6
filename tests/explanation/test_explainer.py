"""The whole first pass: each option by its effect on windows, classes and maps."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch

import video_cam
from clips.make_clips import draw_sample
from tests.support.explained_clips import PLAIN, assert_close, cams, ends, explain, inputs
from tests.support.explanations import window_result
from tests.support.media import moving_square, write_clip
from tests.support.two_actions import CUT, FIRST, NUM_FRAMES, SECOND
from video_cam import Explanation, UsageError
from video_cam.config import ExplainConfig
from video_cam.explanation.clip_plan import plan_clip
from video_cam.explanation.explainer import explain_clip, explain_plan
from video_cam.explanation.map_series import ClassTarget
from video_cam.explanation.window_result import WindowResult, split_windows
from video_cam.explanation.window_runner import WindowRunner
from video_cam.utils.notes import WARNING, Note
from video_cam.video.clip import Clip

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
    assert "5 of the 16 frames" in note.text


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
    assert explanation.notes == (Note("2 scenes; no window runs across a cut"),)
    # At the cut, only windows of one side are blended.
    before, after = (explanation.blend().weights((CUT + side) / 16) for side in (-0.01, 0.01))
    assert {one.window for one in before} == {2} and {one.window for one in after} == {3}


def test_windows_across_a_cut_are_noted(both_classes: Explanation) -> None:
    assert any(first < CUT <= last for first, last in ends(both_classes))
    [note] = both_classes.notes
    assert "hard cut at 2.00 s: " in note.text and note.kind == WARNING


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
        ({"bit_depth": 17}, "bit_depth 17 must be a whole number from 1 to 16"),
        ({"bit_depth": "12"}, "bit_depth '12' must be a whole number or None"),
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
    for wrong, shown in ((3, "3"), ("", "''"), (np.zeros((4, 9, 9)), r"\(a ndarray of .*\)")):
        with pytest.raises(UsageError, match=f"the clip is {shown}, expected a path"):
            explain(wrong, bundled)
    with pytest.raises(UsageError, match=r"the network is a \w+, expected what load_model returns"):
        explain(sample_clip, bundled.module)
    with pytest.raises(UsageError, match="progress is 3, expected a function of a stage's name"):
        explain(sample_clip, bundled, progress=3)


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


@pytest.mark.parametrize("name", ["check", "sanity", "motion_test", "guided", "smoothgrad"])
def test_what_only_the_command_does_is_refused(name, bundled, sample_clip) -> None:
    with pytest.raises(UsageError, match=f"{name} is done by the command"):
        explain(sample_clip, bundled, **{name: True})
