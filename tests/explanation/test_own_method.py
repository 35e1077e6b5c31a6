"""Networks without gradients: the method that is taken where none is named, and what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.input_methods import quick_input_method
from tests.support.networks import PoolLinear, seeded
from tests.support.user_networks import SMALL_INPUT
from video_cam import Classifier, UsageError
from video_cam.attribution.input_methods import INPUT_METHODS
from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.config import ExplainConfig, make_explain_config
from video_cam.errors import CheckNotApplicable
from video_cam.explanation.own_method import check_scores_only, with_own_method
from video_cam.metrics.randomization_check import run_randomization_check
from video_cam.video.clip import Clip

NOTE = "and no method was named: occlusion is taken"


def network() -> nn.Module:
    return seeded(PoolLinear).float().eval()


def of_function() -> Classifier:
    own = network()
    return video_cam.load_model(lambda clip: own(clip).detach(), **SMALL_INPUT)


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(network(), {nn.Linear})


class NoGrad(PoolLinear):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(x)


def without_gradient(kind: str) -> Classifier:
    if kind == "function":
        return of_function()
    own = quantised() if kind == "quantised" else seeded(NoGrad).float().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # autograd's, of quantised layers
        return video_cam.load_model(own, **SMALL_INPUT)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("function", "a function gives scores alone"),
        ("quantised", "layer 'fc' is quantised, and such layers have no gradient"),
        ("no_grad", "the network's scores have no gradient"),
    ],
)
def test_occlusion_is_taken_and_said(
    kind: str, reason: str, sample_clip: Path, monkeypatch
) -> None:
    quick_input_method(monkeypatch, "occlusion")
    model = without_gradient(kind)
    found = video_cam.explain(sample_clip, model, end=0.4)
    assert [(one.layer, one.method) for one in found.maps] == [("input", "occlusion")]
    assert sum(f"{reason}, {NOTE}" in note.text for note in found.notes) == 1
    assert found.options["methods"] == ["occlusion"] and "own_methods" not in found.options
    named = video_cam.explain(sample_clip, model, end=0.4, methods=["rise"], masks=4)
    assert named.maps[0].method == "rise" and NOTE not in " ".join(map(str, named.notes))


def test_methods_of_the_input_need_scores_alone() -> None:
    for name, row in INPUT_METHODS.items():
        assert (row.layer == "input") is (name in SCORE_METHOD_NAMES)


def test_networks_with_gradients_and_named_methods_keep_theirs() -> None:
    own = make_explain_config({})
    assert own.own_methods and own.methods == ("gradcam",)
    assert make_explain_config({"methods": None}).own_methods
    assert not make_explain_config({"methods": ["gradcam"]}).own_methods
    model = video_cam.load_model(network(), **SMALL_INPUT)
    assert with_own_method(model, own) == (model, own, "")
    asked = make_explain_config({"methods": ["gradcam"]})
    other = of_function()
    assert with_own_method(other, asked) == (other, asked, "")
    # A named layer asks for a method of layers.
    of_layer = make_explain_config({"layers": ["relu"]})
    still = without_gradient("no_grad")
    assert with_own_method(still, of_layer) == (still, of_layer, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"methods": ("gradcam",)}, "gradcam needs a network's layers, and a function gives"),
        ({"layers": ("x",)}, "layers names layers, and a function gives scores alone: leave it"),
        ({"conv_backcount": (1,)}, "conv_backcount counts layers"),
        ({"fuse": "mean"}, "fuse combines layers"),
        ({"sanity": True}, "sanity randomises layers.*--method occlusion or rise and --check"),
        ({"guided": True}, "guided computes gradients"),
        ({"smoothgrad": True}, "smoothgrad computes gradients"),
        ({"detail": "input"}, "detail input computes gradients"),
    ],
)
def test_what_a_network_that_gives_scores_alone_cannot_do(options: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        check_scores_only(of_function(), ExplainConfig(**options))
    assert "\n" not in str(caught.value)


def test_explain_refuses_before_it_reads_the_clip(sample_clip: Path) -> None:
    with pytest.raises(UsageError, match="gives scores alone: give --method occlusion or rise"):
        video_cam.explain(sample_clip, of_function(), methods=["gradcam"])


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_has_gradients_at_the_input() -> None:
    model = video_cam.load_model(torch.jit.script(network()), **SMALL_INPUT)
    check_scores_only(model, ExplainConfig(methods=("occlusion",), smoothgrad=True, guided=True))
    with pytest.raises(UsageError, match="sanity randomises layers, and a TorchScript network"):
        check_scores_only(model, ExplainConfig(methods=("occlusion",), sanity=True))


@pytest.mark.filterwarnings("ignore:.*autograd kernel was not registered")
def test_quantised_networks_keep_methods_without_gradients(sample_clip: Path) -> None:
    model = without_gradient("quantised")
    found = video_cam.explain(
        sample_clip, model, methods=["ablationcam"], layers=["relu"], detail="none", end=0.4
    )
    assert found.maps[0].layer == "relu"
    with pytest.raises(UsageError, match="occlusion or rise, or ablationcam or scorecam with a na"):
        video_cam.explain(sample_clip, model, methods=["gradcam"], end=0.4)


def test_quantised_weights_are_not_randomised(sample_clip: Path, monkeypatch) -> None:
    quick_input_method(monkeypatch, "occlusion")
    model, config = without_gradient("quantised"), make_explain_config({"methods": ["occlusion"]})
    found = video_cam.explain(sample_clip, model, end=0.4)
    with pytest.raises(CheckNotApplicable, match="layer 'fc' is quantised, and such weights"):
        run_randomization_check(Clip.open(sample_clip), model, found, config)
