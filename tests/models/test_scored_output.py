"""Networks with outputs of every kind as classifiers: classes, kinds of scores, notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import video_cam
from tests.support.output_networks import (
    FORWARDS,
    FrameFeatures,
    Returning,
    TrainReturnsNothing,
    TwoHeads,
)
from tests.support.user_networks import SMALL_INPUT
from video_cam import UsageError, load_model


@pytest.mark.parametrize("kind", FORWARDS)
def test_every_output_has_the_networks_classes(kind: str) -> None:
    model = load_model(Returning(kind), **SMALL_INPUT)
    assert model.labels == ("class 0", "class 1", "class 2")
    assert model.layer and model.score == ("sigmoid" if kind == "sigmoid" else "softmax")
    assert ("probabilities" in str(model.notes)) == ("softmax" in kind or kind == "sigmoid")


@pytest.mark.parametrize(
    ("kind", "score", "shown"),
    [
        ("softmax", None, Tensor.softmax),
        ("softmax", "sigmoid", Tensor.softmax),
        ("softmax", "raw", Tensor.softmax),
        ("sigmoid", None, Tensor.sigmoid),
        ("sigmoid", "raw", Tensor.sigmoid),
    ],
)
def test_probabilities_are_shown_as_the_network_gives_them(kind, score, shown, sample_clip) -> None:
    network = Returning(kind)
    model = load_model(network, score=score, **SMALL_INPUT)
    plain = load_model(_of_clips(network), score="raw", **SMALL_INPUT)
    options = {"align": "half-pixel", "check": False}
    found = video_cam.explain(sample_clip, model, **options)
    logits = torch.from_numpy(video_cam.explain(sample_clip, plain, **options).probabilities)
    expected = shown(logits, 1) if kind == "softmax" else shown(logits)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert (model.notes != ()) == (score != "raw")
    assert any("probabilities already" in note.text for note in found.notes) == (score != "raw")


@pytest.mark.parametrize(
    ("kind", "score", "explained"),
    [
        ("softmax", None, "ends in a softmax, its outputs are probabilities already: maps "
         "explain its input, the logits"),
        ("softmax", "softmax", "its input, the logits"),
        ("softmax", "sigmoid", "log(p / (1 - p))"),
        ("softmax written out", None, "explain log p"),
        ("sigmoid", None, "its input, the logits"),
        ("sigmoid", "softmax", "explain log p"),
        ("log softmax", None, "ends in a log softmax, its outputs are logarithms of probabilities: "
         "maps explain its input, the logits"),
    ],
)  # fmt: skip
def test_the_note_says_what_is_explained(kind: str, score: str | None, explained: str) -> None:
    assert explained in load_model(Returning(kind), score=score, **SMALL_INPUT).notes[0].text


@pytest.mark.parametrize("kind", ["softmax", "softmax of one cell", "log softmax", "sigmoid"])
def test_maps_are_those_of_the_network_without_its_last_step(kind: str, sample_clip: Path) -> None:
    network = Returning(kind)
    shown = "sigmoid" if kind == "sigmoid" else "softmax"
    options = {
        "class_ids": [1],
        "align": "half-pixel",
        "check": False,
        "methods": ["gradcam", "hirescam", "ablationcam", "scorecam", "finercam", "shapleycam"],
    }
    found, plain = (
        video_cam.explain(sample_clip, load_model(one, score=shown, **SMALL_INPUT), **options)
        for one in (network, _of_clips(network))
    )
    np.testing.assert_allclose(found.probabilities, plain.probabilities, atol=1e-6)
    for one, other in zip(found.maps, plain.maps, strict=True):
        assert (other.values != 0).any(), other.method
        scale = float(abs(other.values).max())
        np.testing.assert_allclose(one.values, other.values, atol=1e-5 * scale)
        np.testing.assert_allclose(one.logits, other.logits, atol=1e-5)


def _of_clips(network: FrameFeatures) -> FrameFeatures:
    plain = FrameFeatures()
    plain.load_state_dict(network.state_dict())
    return plain


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("classes before time", 4),
        ("classes before half the time", 2),
        ("half the time before classes", 2),
    ],
)
def test_each_frame_keeps_its_own_score(kind: str, parts: int, sample_clip: Path) -> None:
    model = load_model(Returning(kind), **SMALL_INPUT)
    found = video_cam.explain(sample_clip, model, class_ids=[1], align="half-pixel", check=False)
    [series] = found.maps
    if parts == 4:
        plain = load_model(_of_clips(model.module), **SMALL_INPUT)
        options = {"class_ids": [1], "align": "half-pixel", "check": False}
        expected = video_cam.explain(sample_clip, plain, **options).maps[0]
        np.testing.assert_allclose(series.values, expected.values, rtol=1e-4, atol=1e-9)
    assert series.frame_scores is not None and series.frame_scores.shape[1] == 4
    rows = series.frame_scores.reshape(len(series.frame_scores), parts, -1)
    assert (rows == rows[:, :, :1]).all() and (np.diff(rows[:, :, 0]) != 0).all()


def test_places_are_shown_as_shares(sample_clip: Path) -> None:
    network = Returning("places")
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor([0.0, 30.0, 0.0]))
    found = video_cam.explain(
        sample_clip, load_model(network, **SMALL_INPUT), top_k=2, align="half-pixel", check=False
    )
    np.testing.assert_array_equal(
        found.probabilities, np.eye(3, dtype=np.float32)[[1]].repeat(found.num_windows, 0)
    )
    assert found.model.shares
    assert found.maps[0].class_id == 1 and found.score_text(1, found.score(1)) == "100%"
    assert any("single places" in note.text for note in found.notes)


class _ConvolutionalHead(Returning):
    """Its scores are the output of a convolution, as those of segmentation networks."""

    def __init__(self) -> None:
        super().__init__("places")
        self.classify = torch.nn.Conv3d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.grid(x))


def test_the_default_layer_of_places_is_in_front_of_their_scores() -> None:
    model = load_model(_ConvolutionalHead(), **SMALL_INPUT)
    assert model.layer == "features" and model.when == "features"


def test_one_class_for_each_place(sample_clip: Path) -> None:
    network = Returning("places", classes=1)
    model = load_model(network, **SMALL_INPUT)
    options = {"align": "half-pixel", "check": False}
    with torch.no_grad():
        network.head.bias.fill_(30)
        assert (video_cam.explain(sample_clip, model, **options).probabilities == 1).all()
        network.head.bias.fill_(-30)
        assert (video_cam.explain(sample_clip, model, **options).probabilities == 0).all()


def test_class_names_choose_among_several_outputs() -> None:
    class Both(Returning):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            features = self.grid(x).mean((2, 3, 4))
            return torch.cat([self.head(features)] * 2, 1), self.head(features)

    model = load_model(Both("softmax"), labels=["a", "b", "c"], **SMALL_INPUT)
    assert model.labels == ("a", "b", "c")


def verb_and_noun(outputs: dict[str, Tensor]) -> Tensor:
    """A target for a network with two sets of classes."""
    return outputs["verb"][:, 0] + outputs["noun"][:, 3]


def test_a_function_explains_an_output_without_class_scores(
    sample_clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"several outputs: verb \(1, 3\), noun \(1, 5\)"):
        load_model(TwoHeads(), **SMALL_INPUT)
    model = load_model(TwoHeads(), output_layout="any", **SMALL_INPUT)
    assert model.labels == () and model.layer == "features"
    with pytest.raises(UsageError, match="only functions of it can be explained"):
        video_cam.explain(sample_clip, model)
    found = video_cam.explain(sample_clip, model, targets=verb_and_noun, align="half-pixel")
    assert found.predictions() == [] and (found.maps[0].values != 0).any()
    found.save(tmp_path / "e.npz")
    assert video_cam.Explanation.load(tmp_path / "e.npz").functions == ("verb_and_noun",)
    written = video_cam.render(sample_clip, found, tmp_path / "out")
    assert written is not None


def test_methods_that_return_nothing_are_called_for_their_effect(sample_clip: Path) -> None:
    network = TrainReturnsNothing()
    model = load_model(network, device="cpu", **SMALL_INPUT)
    assert network.training  # a network at hand is left in its mode
    assert video_cam.explain(sample_clip, model, align="half-pixel").maps


def test_a_factory_of_such_a_network(tmp_path: Path) -> None:
    (tmp_path / "tsn.py").write_text(
        "from tests.support.output_networks import TrainReturnsNothing as make\n"
    )
    model = load_model(f"{tmp_path / 'tsn.py'}:make", **SMALL_INPUT)
    assert not model.module.training
