"""Every option of maps on a device that is not the CPU: the CPU's numbers, and few waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support import text_networks
from tests.support.attention_networks import Joint
from tests.support.device_checks import TOLERANCE, correlation, distance
from tests.support.media import moving_square, write_clip
from tests.support.networks import ImageNetwork, Nonlinear, PoolLinear, seeded
from tests.support.stand_in import DEVICE, copied_numbers, counted_waits, needs_stand_in
from video_cam import Classifier
from video_cam.attribution import occlusion
from video_cam.attribution.augmentation import augmentations
from video_cam.choice_names import ATTENTION_METHOD_NAMES, DETAIL_NAMES, LAYER_METHOD_NAMES
from video_cam.config import make_explain_config
from video_cam.explanation.clip_plan import plan_clip
from video_cam.explanation.quantised_maps import MAX_LEVEL, QuantisedMaps
from video_cam.explanation.window_inputs import WindowInputs
from video_cam.explanation.window_result import WindowResult
from video_cam.explanation.window_runner import WindowRunner
from video_cam.pipeline import explain_and_verify
from video_cam.video.clip import Clip

pytestmark = needs_stand_in

WAITS = 3  # for each window: class scores, what methods must know, results
OF_LAYERS = [name for name in LAYER_METHOD_NAMES if name != "cam"]


class TwoRates(nn.Module):
    """A slow and a fast pathway."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.fast = nn.Conv3d(3, 2, 3, stride=(1, 2, 2), padding=1)
        self.fc = nn.Linear(6, 4)

    def forward(self, pathways: list[Tensor]) -> Tensor:
        slow, fast = self.slow(pathways[0]).relu(), self.fast(pathways[1]).relu()
        return self.fc(torch.cat([slow.mean((2, 3, 4)), fast.mean((2, 3, 4))], 1))


class OfFlow(PoolLinear):
    """Takes two channels of flow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(2, 4, 3, stride=(1, 2, 2), padding=1)


@dataclass(frozen=True)
class Case:
    """A network, how it takes a clip, and what is explained."""

    network: Callable[[], nn.Module]
    options: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)
    waits: int = WAITS
    rounds: bool = False  # in 8 bits of precision, so only the pattern agrees


LAYERS = ["layer2", "layer3"]
CASES = {
    "every method and detail": Case(
        Nonlinear, {"layers": LAYERS, "methods": OF_LAYERS, "detail": DETAIL_NAMES, "top_k": 2}
    ),
    "cam": Case(PoolLinear, {"layers": ["relu"], "methods": ["cam"]}),
    "attention": Case(Joint, {"methods": [*ATTENTION_METHOD_NAMES, "gradcam"], "top_k": 2}),
    "boxes and masks": Case(
        Nonlinear, {"methods": ["occlusion", "rise"], "masks": 6, "fill": "before"}
    ),
    "eigen_smooth": Case(
        Nonlinear,
        {"layers": LAYERS, "methods": ["gradcam", "fem"], "eigen_smooth": True, "top_k": 2},
    ),
    "eigen_smooth of scores": Case(  # the scores of channels must be known in between
        Nonlinear, {"layers": LAYERS, "methods": ["scorecam"], "eigen_smooth": True}, waits=4
    ),
    "shifted": Case(Nonlinear, {"aug_shift": 1, "methods": ["gradcam", "fullgrad"]}),
    "shifted, with scores": Case(  # each version is a pass of its own
        Nonlinear,
        {"aug_shift": 1, "methods": ["scorecam", "eigencam"]},
        waits=2 + len(augmentations(False, 1)),
    ),
    "bf16": Case(Nonlinear, {"precision": "bf16", "methods": OF_LAYERS}, rounds=True),
    "attention in bf16": Case(
        Joint, {"precision": "bf16", "methods": ATTENTION_METHOD_NAMES}, rounds=True
    ),
    "two pathways": Case(
        TwoRates,
        {"layers": ["slow", "fast"], "methods": ["layercam", "scorecam"], "detail": DETAIL_NAMES},
        {"layout": "list:2,1"},
    ),
    "single images": Case(
        ImageNetwork, {"methods": ["gradcam", "ablationcam"], "top_k": 2}, {"layout": "frames"}
    ),
    "blue first": Case(PoolLinear, {}, {"channels": "bgr"}),
    "flow": Case(OfFlow, {"detail": ["layers", "input"]}, {"channels": "flow"}),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = moving_square(12, 32, 32)
    return write_clip(tmp_path_factory.mktemp("clip") / "v.mp4", frames, time_base=Fraction(1, 8))


@pytest.fixture(autouse=True)
def few_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occlusion, "CELLS", (2, 2, 2))


def runner(model: Classifier, path: Path, **options: Any) -> WindowRunner:
    config = make_explain_config({"align": "half-pixel", "batch_size": 1} | options)
    return WindowRunner(plan_clip(Clip.open(path), model, config), model, config)


def window_on(device: str, path: Path, case: Case) -> tuple[WindowResult, list[str]]:
    """The result of one window, and what was waited for."""
    given = {"num_frames": 4, "size": (16, 16), "frame_rate": 8, **case.inputs}
    model = video_cam.load_model(seeded(case.network).float(), device=device, **given)
    bound = runner(model, path, **case.options)
    with counted_waits() as waits:
        [result] = bound.run([0])
    return result, list(waits)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_window_is_that_of_the_cpu(case: Case, path: Path) -> None:
    found, waits = window_on(DEVICE, path, case)
    expected, _ = window_on("cpu", path, case)
    assert len(waits) <= case.waits, waits
    assert found.maps.keys() == expected.maps.keys()
    for target, maps in expected.maps.items():
        for number, (one, other) in enumerate(zip(found.maps[target], maps, strict=True)):
            values = np.asarray(one), np.asarray(other)
            if case.rounds:
                assert not np.any(values[1]) or correlation(*values) > 0.99, number
            else:
                levels = 1.5 / MAX_LEVEL if isinstance(other, QuantisedMaps) else TOLERANCE
                assert distance(*values) < levels, number


def test_texts(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    text_networks.save("CLIP", tmp_path)
    results = []
    for device in (DEVICE, "cpu"):
        model = video_cam.load_model(tmp_path, device=device, text=["cup", "ball"], num_frames=4)
        bound = runner(model, path, methods=["gradcam", "attention-gradient"], detail="none")
        with counted_waits() as waits:
            results += bound.run([0])
        assert len(waits) <= WAITS, waits
    found, expected = results
    assert distance(found.logits, expected.logits) < TOLERANCE
    for target, maps in expected.maps.items():
        for one, other in zip(found.maps[target], maps, strict=True):
            assert distance(one, other) < TOLERANCE


# Frames


def test_windows_share_the_frames_on_the_device(path: Path) -> None:
    given = {"num_frames": 4, "size": (16, 16), "frame_rate": 8}
    model = video_cam.load_model(seeded(Nonlinear).float(), device=DEVICE, **given)
    for batch_size in (1, 3):
        bound = runner(model, path, window_stride=1, batch_size=batch_size)
        with copied_numbers(torch.uint8) as copied:
            results = bound.run(range(9))
        assert len(results) == 9
        assert sum(copied) == 12 * 16 * 16 * 3, copied  # each of the clip's frames once


def test_frames_are_kept_no_longer_than_for_one_batch() -> None:
    model = video_cam.load_model(seeded(Nonlinear).float(), size=(16, 16))
    inputs = WindowInputs(model.preprocess, torch.device("cpu"))
    frames = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), np.uint8)
    batches = ([(0, 1, 2), (1, 2, 3)], [(2, 2, 3)], [(7, 8, 8)], [(0, 1, 2)])
    for batch in batches:
        pixels = [frames[list(indices)] for indices in batch]
        expected = model.preprocess.tensor(np.stack(pixels))
        assert torch.equal(inputs(batch, pixels), expected)
        assert {*inputs._held} == {index for indices in batch for index in indices}


# What is done with windows besides


def test_windows_run_in_parts_as_by_several_workers(path: Path) -> None:
    given = {"num_frames": 4, "size": (16, 16), "frame_rate": 8}
    results = []
    for device, parts in ((DEVICE, ([0, 2], [1, 3])), ("cpu", ([0, 1, 2, 3],))):
        model = video_cam.load_model(seeded(Nonlinear).float(), device=device, **given)
        bound = runner(model, path, detail="none")
        found = [result for part in parts for result in bound.run(part, [1, 2])]
        results.append(sorted(found, key=lambda result: result.index))
    for one, other in zip(*results, strict=True):
        assert one.index == other.index and one.maps.keys() == other.maps.keys()
        for target, maps in other.maps.items():
            assert distance(one.maps[target][0], maps[0]) < TOLERANCE


def test_both_checks(path: Path) -> None:
    given = {"num_frames": 4, "size": (16, 16), "frame_rate": 8}
    config = make_explain_config(
        {"align": "half-pixel", "check": True, "sanity": True, "detail": "none", "end": 0.5}
    )
    found, expected = (
        explain_and_verify(
            Clip.open(path),
            video_cam.load_model(seeded(PoolLinear).float(), device=device, **given),
            config,
        )
        for device in (DEVICE, "cpu")
    )
    drops = ["drop", "random_drop", "frame_difference_drop"]
    assert [found.check[one] for one in drops] == pytest.approx(
        [expected.check[one] for one in drops], abs=1e-4
    )
    for one, other in zip(found.sanity["stages"], expected.sanity["stages"], strict=True):
        assert one["module"] == other["module"]
        assert one["rank_correlation"] == pytest.approx(other["rank_correlation"], abs=1e-2)
