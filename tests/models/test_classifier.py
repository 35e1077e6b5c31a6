"""A network with its spec becomes a classifier: input, labels, layers, scores."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.networks import PoolLinear
from tests.support.user_networks import SMALL_INPUT, write_networks
from video_cam import Classifier, UsageError, load_model
from video_cam.config import InputConfig
from video_cam.models.classifier import make_classifier
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import ModelSpec

SPEC = ModelSpec(
    build=lambda classes: PoolLinear(classes=classes),
    pretrained={},
    labels=("a", "b", "c", "d"),
    num_frames=8,
    frame_rate=Fraction(15),
    preprocess=Preprocess((40, 50), (20, 25), (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), "area"),
    where_layer="conv2",
    when_layer="conv1",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_networks(tmp_path)


def classify(spec: ModelSpec = SPEC, labels=None, **input_options: object) -> Classifier:
    return make_classifier(PoolLinear(), "net", "w", spec, InputConfig(**input_options), labels)


# Input


def test_the_spec_says_what_nobody_else_does() -> None:
    model = classify()
    assert (model.num_frames, model.frame_rate, model.preprocess) == (8, 15, SPEC.preprocess)
    assert (model.labels, model.layer, model.when) == (SPEC.labels, "conv2", "conv1")
    assert (model.score, model.framewise, model.trained) == ("softmax", False, True)


def test_what_is_said_about_the_input_replaces_the_spec() -> None:
    model = classify(
        num_frames=4, frame_rate=Fraction(8), size=(10, 50), mean=(0.5,) * 3, std=(0.25,) * 3
    )
    assert (model.num_frames, model.frame_rate) == (4, 8)
    # The margin around the crop grows with it, on each axis by itself.
    expected = Preprocess((20, 100), (10, 50), (0.5,) * 3, (0.25,) * 3, "area")
    assert model.preprocess == expected


def test_a_shorter_side_grows_with_the_larger_share() -> None:
    square = dataclasses.replace(SPEC.preprocess, resize=30, crop=(20, 20))
    model = classify(dataclasses.replace(SPEC, preprocess=square), size=(40, 10))
    assert model.preprocess.resize == 60 and model.preprocess.crop == (40, 10)


def test_an_input_that_the_network_does_not_take(file: Path) -> None:
    with pytest.raises(UsageError, match="the network does not run on an input of"):
        load_model(f"{file}:make", layout="frames", **SMALL_INPUT)


def test_device_dtype_and_batch() -> None:
    model = load_model(PoolLinear().double(), **SMALL_INPUT)
    assert model.device == torch.device("cpu") and model.dtype == torch.float64
    assert model.batch(8) == 8
    assert dataclasses.replace(model, max_batch=2).batch(8) == 2
    assert dataclasses.replace(model, max_batch=2).batch(1) == 1


# Labels


def test_labels_of_another_number_are_numbered_or_refused(tmp_path: Path) -> None:
    three = dataclasses.replace(SPEC, labels=("a", "b", "c"))
    assert classify(three).labels == ("class 0", "class 1", "class 2", "class 3")
    assert classify(labels=["w", "x", "y", "z"]).labels == ("w", "x", "y", "z")
    with pytest.raises(UsageError, match=r"^labels has 3 names, the network has 4 classes"):
        classify(labels=["a", "b", "c"])
    (tmp_path / "n.txt").write_text("a\nb\n")
    with pytest.raises(UsageError, match=r"^label file '.*n.txt' has 2 names, the network has 4"):
        classify(labels=tmp_path / "n.txt")


# Scores


def test_one_score_is_a_yes_or_no(file: Path, sample_clip: Path) -> None:
    model = load_model(f"{file}:one_score", **SMALL_INPUT)
    assert model.score == "sigmoid" and model.labels == ("class 0",)
    explanation = video_cam.explain(sample_clip, model)
    # A softmax over one class would be 1 everywhere.
    assert (explanation.probabilities > 0).all() and (explanation.probabilities < 1).all()


def test_a_regression_shows_the_value_itself(file: Path, sample_clip: Path) -> None:
    model = load_model(f"{file}:one_score", score="raw", labels=["speed"], **SMALL_INPUT)
    explanation = video_cam.explain(sample_clip, model)
    assert explanation.labels == ("speed",) and explanation.score_text(0, 12.345) == "12.3"
    logits = explanation.maps[0].logits
    assert logits is not None and (explanation.probabilities[:, 0] == logits).all()


def test_outputs_that_are_no_scores(file: Path) -> None:
    with pytest.raises(UsageError, match=r"expected \(N, classes\) or \(N, T, classes\) scores"):
        load_model(f"{file}:without_scores", **SMALL_INPUT)


# Layers


def test_a_default_layer_leads_to_the_scores(file: Path) -> None:
    assert load_model(f"{file}:make", **SMALL_INPUT).layer == "conv"
    for factory in ("without_grid", "detached"):
        model = load_model(f"{file}:{factory}", **SMALL_INPUT)
        assert model.layer == ""
        with pytest.raises(UsageError, match="no layer of the network puts out a grid of places"):
            model.layers((4, 16, 16))


def test_a_network_that_loops_over_frames_is_told_to_take_them_at_once(file: Path) -> None:
    model = load_model(f"{file}:frame_loop", **SMALL_INPUT)
    for wanted in (None, ["conv"]):
        with pytest.raises(UsageError, match="'conv' runs once for each of the 4 frames"):
            model.layers((4, 16, 16), wanted)


def test_layers_by_name_position_and_the_networks_own() -> None:
    model, size = classify(), (8, 20, 25)
    assert model.layers(size).names == ("conv2",)
    assert model.layers(size, ["where", "when", "conv2"]).names == ("conv2", "conv1")
    assert model.layers(size, ["conv?"]).names == ("conv1", "conv2")
    assert model.layers(size, ["relu"], conv_backcount=[2]).names == ("conv1", "relu")
    assert model.layers(size, conv_backcount=[1]).names == ("conv2",)
    assert model.layers(size, ["conv1"]).folds["conv1"].grid == (8, 10, 13)


class _Shrinking(nn.Module):
    """Its last layer with a grid has one cell in time, the one before it has four."""

    def __init__(self) -> None:
        super().__init__()
        self.early = nn.Conv3d(3, 4, 3, stride=(2, 2, 2), padding=1)
        self.late = nn.Conv3d(4, 4, 3, stride=(4, 2, 2), padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.late(self.early(x).relu()).relu().mean((2, 3, 4)))


def test_the_layer_in_time_is_the_last_with_enough_cells() -> None:
    spec = dataclasses.replace(SPEC, labels=(), where_layer="late", when_layer=None)
    model = make_classifier(_Shrinking(), "net", "w", spec, InputConfig(), None)
    assert model.layers((8, 20, 25), ["early", "late"]).folds["early"].grid[0] == 4
    assert (model.layer, model.when) == ("late", "early")


# Networks of pytorchvideo, where it is installed


@pytest.mark.parametrize(
    ("name", "frames", "size", "layout", "layers", "cells"),
    [
        ("slow_r50", 8, 224, "NCTHW", ["blocks.4"], [8]),
        ("x3d_s", 13, 160, "NCTHW", ["blocks.4"], [13]),
        ("c2d_r50", 8, 224, "NCTHW", ["blocks.5"], [4]),
        ("i3d_r50", 8, 224, "NCTHW", ["blocks.5"], [4]),
        ("csn_r101", 32, 224, "NCTHW", ["blocks.4"], [4]),
        ("slowfast_r50", 32, 224, "list:4,1", ["blocks.4.multipathway_blocks.?"], [8, 32]),
    ],
)
@pytest.mark.slow
def test_pytorchvideo(name: str, frames: int, size: int, layout: str, layers, cells) -> None:
    hub = pytest.importorskip("pytorchvideo.models.hub")
    model = load_model(
        getattr(hub, name)(pretrained=False), layout=layout, num_frames=frames, size=(size, size)
    )
    chosen = model.layers((frames, size, size), layers)
    assert [chosen.folds[name].grid[0] for name in chosen.names] == cells
    assert all(chosen.folds[name].grid[1:] == (size // 32, size // 32) for name in chosen.names)
