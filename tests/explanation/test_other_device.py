"""A clip on a device that is not the CPU: the CPU's explanation, and few waits for each window."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import video_cam
from tests.support.device_checks import assert_same_explanation, distance
from tests.support.media import moving_square, write_clip
from tests.support.networks import Nonlinear, PerFrame, PoolLinear, seeded
from tests.support.stand_in import DEVICE, counted_waits, limited_memory, needs_stand_in
from video_cam import Classifier
from video_cam.attribution import occlusion
from video_cam.config import make_explain_config
from video_cam.explanation.clip_plan import plan_clip
from video_cam.explanation.keyframe_gradients import keyframe_gradients
from video_cam.explanation.window_runner import WindowRunner
from video_cam.video.clip import Clip

pytestmark = needs_stand_in

WAITS = 3  # for each window: class scores, what methods must know, results


class Gray(PerFrame):
    """Takes grey clips (N, 1, T, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 4, 3, stride=(1, 2, 2), padding=1)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = moving_square(12, 32, 32)
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", frames, time_base=Fraction(1, 8))


def classifier(device: str, network: type[nn.Module] = Nonlinear, **options: Any) -> Classifier:
    given = {"num_frames": 4, "size": (16, 16), "frame_rate": 8, **options}
    return video_cam.load_model(seeded(network).float(), device=device, **given)


def waits_per_window(path: Path, model: Classifier, **options: Any) -> list[str]:
    """What was waited for in the run of one window."""
    config = make_explain_config({"align": "half-pixel", "batch_size": 1} | options)
    runner = WindowRunner(plan_clip(Clip.open(path), model, config), model, config)
    with counted_waits() as waits:
        runner.run([0])
    return list(waits)


EXPLAINED: dict[str, dict[str, Any]] = {
    "one map": {},
    "own classes": {"class_scope": "window", "contrast": True, "top_k": 2},
    "functions": {"targets": [lambda outputs: outputs[:, 0] - outputs[:, 1]]},
    "augmented": {"aug_smooth": True},
    "worst": {"top_k": 2, "worst": True},
}


@pytest.fixture(autouse=True)
def few_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occlusion, "CELLS", (2, 2, 2))


@pytest.mark.parametrize("options", EXPLAINED.values(), ids=EXPLAINED)
def test_a_window_is_waited_for_three_times(options: dict[str, Any], path: Path) -> None:
    waits = waits_per_window(path, classifier(DEVICE), **options)
    assert len(waits) <= WAITS, waits


def test_every_window_is_waited_for_alike(path: Path) -> None:
    model, config = classifier(DEVICE), make_explain_config({"batch_size": 1})
    runner = WindowRunner(plan_clip(Clip.open(path), model, config), model, config)
    with counted_waits() as waits:
        runner.run([0, 1, 2])
    assert len(waits) <= 3 * WAITS, waits


def test_more_channels_and_scores_of_frames_need_no_more_waits(path: Path) -> None:
    asking = {"methods": ["ablationcam", "scorecam", "cam"], "layers": ["relu"]}
    for network, options in ((lambda: PoolLinear(channels=20), asking), (PerFrame, {"top_k": 2})):
        waits = waits_per_window(path, classifier(DEVICE, network), **options)
        assert len(waits) <= WAITS, waits


def test_other_inputs_and_outputs(path: Path) -> None:
    for network, options in ((PerFrame, {}), (Gray, {"channels": "gray"})):
        found, expected = (
            video_cam.explain(path, classifier(device, network, **options), align="half-pixel")
            for device in (DEVICE, "cpu")
        )
        assert_same_explanation(found, expected)


def test_a_batch_that_does_not_fit_is_halved(path: Path) -> None:
    options = {"align": "half-pixel", "window_stride": 1, "batch_size": 8}
    model = classifier(DEVICE)
    with limited_memory(2 * 3 * 4 * 16 * 16 * 4):  # bytes of two windows' input
        found = video_cam.explain(path, model, **options)
    assert any("continued with batches of 2" in note.text for note in found.notes), found.notes
    assert_same_explanation(found, video_cam.explain(path, classifier("cpu"), **options))


def test_altered_windows_that_do_not_fit_come_in_smaller_batches(path: Path) -> None:
    options = {"methods": ["occlusion"], "batch_size": 8, "end": 0.5}
    with limited_memory(2 * 3 * 4 * 16 * 16 * 4):  # bytes of two windows' input
        found = video_cam.explain(path, classifier(DEVICE), **options)
    assert any("continued with batches of 2" in note.text for note in found.notes), found.notes
    assert_same_explanation(found, video_cam.explain(path, classifier("cpu"), **options))


def test_input_gradients_of_windows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("video_cam.explanation.keyframe_gradients.NOISY_COPIES", 2)
    gradients = []
    for device in (DEVICE, "cpu"):
        model = classifier(device)
        explanation = video_cam.explain(path, model, align="half-pixel", end=0.5)
        [first, *_] = keyframe_gradients(
            Clip.open(path), model, explanation, ["guided", "smoothgrad"]
        )
        gradients.append(first.gradients)
    for kind, expected in gradients[1].items():
        for one, other in zip(gradients[0][kind], expected, strict=True):
            assert one.device.type == "cpu" and distance(one, other) < 1e-4, kind
