"""What is fixed before the network runs: windows, layers, cells; nothing that needs the network."""

from __future__ import annotations

import dataclasses
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import video_cam
from tests.support import media
from tests.support.networks import PoolLinear
from video_cam import Classifier, UsageError
from video_cam.config import ExplainConfig, make_explain_config
from video_cam.explanation import network_plan, scenes
from video_cam.explanation.clip_plan import ClipPlan, plan_clip
from video_cam.explanation.map_series import ModelInfo
from video_cam.explanation.network_plan import plan_network
from video_cam.explanation.sampling import FrameSpan
from video_cam.explanation.window_runner import WindowRunner
from video_cam.models.registry import BUNDLED
from video_cam.video.clip import Clip


def plan(path: Path, model: Classifier, **options: Any) -> ClipPlan:
    """With an alignment that need not be measured, and maps as they are in the layer."""
    config = make_explain_config({"align": "half-pixel", "detail": "none"} | options)
    return plan_clip(Clip.open(path), model, config)


def test_a_plan_of_the_sample_clip(sample_clip: Path, bundled: Classifier) -> None:
    made = plan(
        sample_clip,
        bundled,
        layers=["layer4", "layer3"],
        methods=["gradcam", "layercam"],
        class_ids=["spin", 0],
        start=0.25,
        batch_size=3,
    )
    assert made.span == FrameSpan(4, 32) and made.scenes == (made.span,)
    assert [w.frame_indices[0] for w in made.windows] == [4, 12, 16]
    assert made.map_keys == (
        ("layer4", "gradcam", "none"),
        ("layer4", "layercam", "none"),
        ("layer3", "gradcam", "none"),
        ("layer3", "layercam", "none"),
    )
    assert made.class_ids == (bundled.labels.index("spin"), 0)
    assert made.model == ModelInfo(
        BUNDLED, bundled.weights, ("layer4", "layer3"), 16, bundled.frame_rate, trained=True
    )
    assert made.batch_size == 3
    assert {layer: one.grid for (layer, *_), one in made.centres.items()} == {
        "layer4": (4, 4, 4),
        "layer3": (8, 8, 8),
    }
    np.testing.assert_allclose(made.head_biases, bundled.module.fc.bias.detach())
    assert (made.geometry.source_height, made.geometry.crop_height) == (256, 64)
    assert made.model.layers == ("layer4", "layer3")
    network = plan_network(
        bundled, made.input_size, made.model.layers, ExplainConfig(detail="none")
    )
    assert network.layers == ("layer4", "layer3") and set(network.folds) == {"layer4", "layer3"}


def test_a_plan_is_small_and_holds_no_network(sample_clip: Path, bundled: Classifier) -> None:
    made = plan(sample_clip, bundled)
    sent = pickle.dumps(made)
    assert len(sent) < 20_000
    received = pickle.loads(sent)
    assert received.windows == made.windows and received.clip.path == str(sample_clip)


def test_what_is_found_of_a_network_is_found_once_for_all_clips(
    sample_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, found = video_cam.load_model("motion3d"), []
    find = network_plan.find_receptive_fields
    monkeypatch.setattr(
        network_plan, "find_receptive_fields", lambda *given: found.append(given) or find(*given)
    )

    def num_found(model: Classifier = model, **options: Any) -> int:
        found.clear()
        config = make_explain_config({"align": "half-pixel", "detail": "none"} | options)
        WindowRunner(plan(sample_clip, model, **options), model, config)
        return len(found)

    assert num_found() > 0 == num_found(start=0.25) == num_found(methods=["layercam"])
    for options in (
        {"layers": ["layer3"]},
        {"align": "receptive-field"},
        {"conv_backcount": [2]},
        {"detail": "layers"},
        {"num_frames": 8},
    ):
        assert num_found(**options) > 0 == num_found(**options), options
    assert num_found(dataclasses.replace(model, layer="layer3")) > 0
    with torch.no_grad():
        model.module.fc.weight.mul_(2)
    assert num_found() > 0 == num_found()


def test_no_frame_is_read(sample_clip: Path, bundled: Classifier, monkeypatch) -> None:
    clip = Clip.open(sample_clip)
    monkeypatch.setattr(Clip, "frames", None)
    config = make_explain_config({"align": "half-pixel"})
    assert len(plan_clip(clip, bundled, config).windows) == 3


def test_scenes_divide_the_windows(sample_clip, bundled, monkeypatch) -> None:
    asked = []

    def split(frames, span, frame_rate):
        asked.append((next(iter(frames)).index, span, frame_rate))
        return [FrameSpan(4, 10), FrameSpan(10, 32)]

    monkeypatch.setattr(scenes, "split_scenes", split)
    made = plan(sample_clip, bundled, split_scenes=True, start=0.25)
    assert asked == [(4, FrameSpan(4, 32), Fraction(16))]
    assert made.scenes == (FrameSpan(4, 10), FrameSpan(10, 32))
    assert [(w.frame_indices[0], w.frame_indices[-1]) for w in made.windows] == [
        (4, 9), (10, 25), (16, 31)
    ]  # fmt: skip
    assert made.windows[0].num_padded == 10


@pytest.mark.parametrize(
    ("options", "num_frames", "frame_rate"),
    [({}, 16, 16), ({"num_frames": 8, "frame_rate": 4}, 8, 4), ({"sampling": "uniform"}, 16, 16)],
)
def test_the_networks_input_as_the_results_tell_it(
    options, num_frames, frame_rate, sample_clip, bundled
) -> None:
    made = plan(sample_clip, bundled, **options)
    assert (made.model.num_frames, made.model.frame_rate) == (num_frames, frame_rate)


def test_pictures_of_a_folder_are_all_sampled(tmp_path: Path) -> None:
    for index in range(9):
        media.write_clip(tmp_path / f"{index:02d}.png", 1, codec="png", pix_fmt="rgb24")
    model = video_cam.load_model("resnet18", "none", size=(64, 64), num_frames=6)
    made = plan(tmp_path, model)
    assert [w.frame_indices for w in made.windows] == [(0, 1, 2, 3, 4, 5), (3, 4, 5, 6, 7, 8)]
    # The clip's rate, by which the windows are blended, is that of the pictures.
    assert made.model.frame_rate == made.clip.info.frame_rate


class SlowAndFast(nn.Module):
    """Takes [every 4th frame, every frame]; its slow pathway has cells of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = nn.Conv3d(3, 4, 3, stride=(1, 4, 4), padding=1)
        self.fast = nn.Conv3d(3, 4, 3, stride=(1, 4, 4), padding=1)
        self.fc = nn.Linear(8, 3)

    def forward(self, pathways: list[torch.Tensor]) -> torch.Tensor:
        slow, fast = (
            conv(x).relu().mean((2, 3, 4))
            for conv, x in zip((self.slow, self.fast), pathways, strict=True)
        )
        return self.fc(torch.cat([slow, fast], 1))


def test_cells_of_a_slow_pathway_are_at_its_frames(sample_clip: Path) -> None:
    model = video_cam.load_model(
        SlowAndFast(), num_frames=16, frame_rate=16, size=(16, 16), layout="list"
    )
    made = plan(sample_clip, model, layers=["slow", "fast"])
    assert made.centres["slow", "gradcam", "none"].t.tolist() == [0, 5, 10, 15]
    assert made.centres["fast", "gradcam", "none"].t.tolist() == list(range(16))


def test_batches_are_no_larger_than_the_network_takes(sample_clip, bundled) -> None:
    limited = dataclasses.replace(bundled, max_batch=2)
    assert plan(sample_clip, limited, batch_size=4).batch_size == 2
    assert plan(sample_clip, limited, batch_size=1).batch_size == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"class_ids": ["spinn"]}, "did you mean spin"),
        ({"class_ids": [99]}, r"class id 99 is outside 0 \.\.\. "),
        ({"start": 99.0}, "the clip runs from"),
        ({"layers": ["layer9"]}, "unknown layer 'layer9'"),
    ],
)
def test_what_the_clip_or_the_network_does_not_have_is_refused(
    options, words, sample_clip, bundled
) -> None:
    with pytest.raises(UsageError, match=words):
        plan(sample_clip, bundled, **options)


def test_one_class_cannot_be_contrasted(sample_clip: Path) -> None:
    model = video_cam.load_model(PoolLinear(classes=1), num_frames=4, size=(16, 16), frame_rate=8)
    assert plan(sample_clip, model).labels == ("class 0",)
    with pytest.raises(UsageError, match="the network has one"):
        plan(sample_clip, model, contrast=True)
