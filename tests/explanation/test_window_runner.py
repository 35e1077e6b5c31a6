"""The network on windows: the right frames in batches of the right size, divided by window."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.media import moving_square, write_clip
from tests.support.networks import PerFrame, PoolLinear
from video_cam import Classifier, ClipError, UsageError
from video_cam.config import make_explain_config
from video_cam.explanation.clip_plan import plan_clip
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.explanation.window_result import WindowResult
from video_cam.explanation.window_runner import WindowRunner
from video_cam.explanation.window_source import OtherFramesDecoded
from video_cam.video.clip import Clip
from video_cam.video.timeline import Timeline

NUM_FRAMES = 20  # of the clip: windows at frames 0, 2, ..., 16 at 8 frames per second


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = moving_square(NUM_FRAMES, 32, 32)
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", frames, time_base=Fraction(1, 8))


def classifier(network: nn.Module | None = None) -> Classifier:
    torch.manual_seed(0)
    return video_cam.load_model(network or PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)


def runner(clip: Clip | Path, model: Classifier, **options: Any) -> WindowRunner:
    """For windows that start two frames apart."""
    clip = clip if isinstance(clip, Clip) else Clip.open(clip)
    config = make_explain_config({"align": "half-pixel", "detail": "none"} | options)
    return WindowRunner(plan_clip(clip, model, config), model, config)


def window_input(path: Path, model: Classifier, frame_indices: Sequence[int]) -> Tensor:
    """(1, 3, N, H, W) of these frames."""
    pictures = Clip.open(path).frames_at(sorted(set(frame_indices)))
    frames = np.stack([model.preprocess.frame(pictures[index]) for index in frame_indices])
    return model.preprocess.tensor(frames[None])


def forward_sizes(model: Classifier) -> list[int]:
    """Filled with the batch size of each forward pass from now on."""
    sizes: list[int] = []
    model.module.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    return sizes


def test_a_windows_result_is_that_of_the_network_on_its_frames(path: Path) -> None:
    model = classifier()
    options: dict[str, Any] = {"layers": ["conv2", "conv1"], "methods": ["gradcam", "layercam"]}
    results = runner(path, model, **options).run(range(9), [2, 0])
    assert [result.index for result in results] == list(range(9))
    for result in results:
        start = 2 * result.index
        x = window_input(path, model, range(start, start + 4))
        maps = video_cam.compute_cams(model.module, x, targets=[2, 0], **options)
        assert list(result.maps) == [ClassTarget(2), ClassTarget(0)]
        own = [values for target in result.maps for values in result.maps[target]]
        for values, expected in zip(own, maps, strict=True):
            np.testing.assert_allclose(values, expected.values[0], rtol=1e-4, atol=1e-6)
        logits = model.module(x)[0].detach()
        np.testing.assert_allclose(result.logits, logits, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(result.probabilities, logits.softmax(0), rtol=1e-4, atol=1e-6)
        assert result.function_scores.shape == (0,) and result.frame_scores == {}


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1] * 9), (4, [4, 4, 1]), (100, [9])])
def test_windows_run_in_batches(batch_size, sizes, path: Path) -> None:
    model = classifier()
    expected = runner(path, model).run(range(9), [1])
    one = runner(path, model, batch_size=batch_size)
    forwards = forward_sizes(model)
    results = one.run(range(9), [1])
    assert forwards == sizes
    for result, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(
            result.maps[ClassTarget(1)][0], other.maps[ClassTarget(1)][0], atol=1e-6
        )


def test_without_class_ids_the_likely_classes_are_explained(path: Path) -> None:
    results = runner(path, classifier(), top_k=1).run(range(9))
    for result in results:
        own = np.argsort(-result.probabilities)[:2]
        assert {ClassTarget(int(class_id)) for class_id in own} <= set(result.maps)
    mean = np.mean([result.probabilities for result in results], axis=0)
    # The best class of all windows is among the last batch's.
    assert ClassTarget(int(mean.argmax())) in results[-1].maps


def first(outputs: Tensor) -> Tensor:
    return outputs[:, 0]


def margin(outputs: Tensor) -> Tensor:
    return outputs[:, 1] - outputs[:, 2]


@pytest.mark.parametrize("class_ids", [[], [3]])
def test_functions_are_numbered_in_their_order(class_ids, path: Path) -> None:
    functions = [margin, first, margin]
    one = runner(path, classifier(), targets=functions, class_ids=class_ids)
    for result in one.run(range(9)):
        logits = result.logits
        assert set(result.maps) == {*map(FunctionTarget, range(3)), *map(ClassTarget, class_ids)}
        np.testing.assert_allclose(
            result.function_scores,
            [logits[1] - logits[2], logits[0], logits[1] - logits[2]],
            atol=1e-5,
        )
    # The map is linear in the score.
    parts = {result.index: result for result in one.run(range(9), [1, 2])}
    for result in one.run([3]):
        expected = parts[3].maps[ClassTarget(1)][0] - parts[3].maps[ClassTarget(2)][0]
        np.testing.assert_allclose(result.maps[FunctionTarget(0)][0], expected, atol=1e-6)


def test_the_scores_of_single_frames(path: Path) -> None:
    model = classifier(PerFrame())
    [result] = runner(path, model).run([3], [2, 0])
    x = window_input(path, model, range(6, 10))
    scores = model.module(x)[0].softmax(1).detach()  # (N, classes)
    assert set(result.frame_scores) == {ClassTarget(2), ClassTarget(0)}
    for target, values in result.frame_scores.items():
        np.testing.assert_allclose(values, scores[:, target.class_id], rtol=1e-4, atol=1e-6)


def test_only_the_windows_own_frames_are_read(path: Path, monkeypatch) -> None:
    read = []
    frames = Clip.frames
    monkeypatch.setattr(
        Clip, "frames", lambda self, *span: read.append(span) or frames(self, *span)
    )
    one = runner(path, classifier(), end=2.25)  # frames 0 ... 17
    assert [result.index for result in one.run([3, 5], [0])] == [3, 5]
    assert read == [(6, 14)]
    # All windows: all frames of the span, so that every one of them is checked.
    one.run(range(8), [0])
    assert read[1:] == [(0, 18)]


@pytest.mark.parametrize("indices", [range(9), [8]])
def test_other_frames_than_planned_are_noticed(indices, path: Path) -> None:
    clip = Clip.open(path)
    pts = clip.timeline.pts.copy()
    pts[-1] += 1
    other = Timeline(pts, clip.timeline.time_base, clip.timeline.last_duration)
    one = runner(dataclasses.replace(clip, timeline=other), classifier())
    with pytest.raises(OtherFramesDecoded):
        one.run(indices, [0])
    assert len(one.run([0], [0])) == 1  # whose frames are as planned


def test_smaller_batches_where_memory_is_not_sufficient(path: Path) -> None:
    model = classifier()
    expected = runner(path, model).run(range(9), [1])
    one = runner(path, model, batch_size=4)

    def refuse(module: nn.Module, inputs: tuple[Tensor]) -> None:
        if len(inputs[0]) > 2:
            raise MemoryError

    model.module.register_forward_pre_hook(refuse)
    forwards = forward_sizes(model)
    results = one.run(range(9), [1])
    assert forwards == [2, 2, 2, 2, 1]
    note = "out of memory with batches of 4: continued with batches of 2"
    assert [result.memory_note for result in results] == [note] * 9
    assert [result.index for result in results] == list(range(9))
    for result, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(
            result.maps[ClassTarget(1)][0], other.maps[ClassTarget(1)][0], atol=1e-6
        )


def test_a_cut_is_told_to_the_windows_that_run_across_it(tmp_path: Path) -> None:
    dark, bright = (np.full((32, 32, 3), level, np.uint8) for level in (40, 200))
    clip = write_clip(tmp_path / "cut.mp4", [dark] * 9 + [bright] * 11, time_base=Fraction(1, 8))
    results: list[WindowResult] = runner(clip, classifier()).run(range(9), [0])
    assert {result.index: result.cuts for result in results if result.cuts} == {3: (9,), 4: (9,)}
    # Uniform samples lie far apart, so that a large difference says nothing.
    [result] = runner(clip, classifier(), sampling="uniform").run([0], [0])
    assert result.cuts == ()


class Constant(nn.Module):
    """Puts out the same numbers for every clip."""

    def __init__(self, value: float, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, 2, 3, padding=1)
        self.value, self.classes = value, classes

    def forward(self, x: Tensor) -> Tensor:
        scores = self.conv(x).mean((1, 2, 3, 4))[:, None].expand(-1, self.classes)
        return scores * 0 + self.value


@pytest.mark.parametrize(
    ("value", "classes", "error", "words"),
    [
        (float("nan"), 2, ClipError, "not finite: check its weights"),
        (float("inf"), 2, ClipError, "not finite: check its weights"),
        (1.0, 3, UsageError, r"put out \(4, 3\), expected \(N, 2\) class scores"),
    ],
)
def test_unusable_outputs_are_refused(value, classes, error, words, path: Path) -> None:
    network = Constant(0.0, 2)
    model = classifier(network)
    one = runner(path, model, layers=["conv"])
    network.value, network.classes = value, classes
    with pytest.raises(error, match=words):
        one.run(range(9))


def test_progress_counts_windows(path: Path) -> None:
    told: list[Any] = []

    @contextmanager
    def progress(stage: str, total: int):
        told.append((stage, total))
        yield told.append

    config = make_explain_config({"align": "half-pixel", "batch_size": 4})
    model = classifier()
    plan = plan_clip(Clip.open(path), model, config)
    WindowRunner(plan, model, config, progress).run(range(9), [0])
    assert told == [("explain", 9), 4, 4, 1]


class _FailsLater(PoolLinear):
    """Runs when it is loaded, and fails on the clip."""

    fails = False

    def forward(self, x: Tensor) -> Tensor:
        if self.fails:
            raise ValueError("not with this clip")
        return super().forward(x)


def test_a_network_that_fails_on_a_clip_is_named_with_its_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner(path, classifier(_FailsLater()), batch_size=2)
    monkeypatch.setattr(_FailsLater, "fails", True)
    line = inspect.getsourcelines(_FailsLater.forward)[1] + 2
    with pytest.raises(ClipError) as error:
        run.run(range(2))
    assert str(error.value) == (
        f"test_window_runner.py:{line} in forward: ValueError: not with this clip; the "
        "network was given (2, 3, 4, 16, 16)"
    )
