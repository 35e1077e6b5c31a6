"""Functions and TorchScript as networks: their scores, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.networks import PoolLinear, seeded
from video_cam import UsageError, compute_cams, guided_backprop, load_model, smooth_gradient
from video_cam.layers.outputs import class_scores
from video_cam.layers.scores_only import FunctionNetwork, ScriptedNetwork, as_network

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")
SMALL = {"num_frames": 4, "size": (16, 16)}


def network() -> nn.Module:
    return seeded(PoolLinear).float().eval()


def x(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 4, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "container",
    [
        lambda scores: scores,
        lambda scores: scores.numpy(),
        lambda scores: scores.tolist(),
        lambda scores: {"logits": scores.numpy(), "other": 3},
        lambda scores: (scores.numpy(), np.zeros(1)),
        lambda scores: [*scores.numpy()[None]],
    ],
)
def test_scores_of_a_function_in_any_container(container: Callable[[Tensor], Any]) -> None:
    own = network()
    found = FunctionNetwork(lambda clip: container(own(clip).detach()))(x())
    torch.testing.assert_close(class_scores(found), own(x()).detach())
    assert not class_scores(found).requires_grad


def test_a_function_is_never_given_shapes_without_values() -> None:
    own, seen = network(), []

    def function(clip: Tensor) -> Tensor:
        seen.append((clip.is_meta, clip.requires_grad, torch.is_grad_enabled()))
        return own(clip).detach()

    model = load_model(function, **SMALL)
    [cam] = compute_cams(function, x(), methods=["occlusion"], targets=[1])
    assert set(seen) == {(False, False, False)}
    assert model.name == "function" and len(model.labels) == 4 and model.max_batch is None
    [expected] = compute_cams(own, x(), methods=["occlusion"], targets=[1])
    assert expected.values.abs().max() > 1e-3
    torch.testing.assert_close(cam.values, expected.values)


def test_a_function_of_clips_time_first() -> None:
    own = network()

    def function(clip: torch.Tensor) -> torch.Tensor:
        return own(clip.transpose(1, 2)).detach()

    clip = torch.randn(1, 5, 3, 16, 16)
    [cam] = compute_cams(function, clip, methods=["occlusion"], targets=[0])
    assert cam.input_size == (5, 16, 16)


@pytest.mark.parametrize("frozen", [False, True])
def test_scripted_networks_give_the_maps_of_the_network(frozen: bool) -> None:
    own = network()
    scripted = torch.jit.script(own)
    scripted = torch.jit.freeze(scripted) if frozen else scripted
    model = load_model(scripted, **SMALL)
    torch.testing.assert_close(class_scores(model.module(x())), own(x()))
    [cam] = compute_cams(scripted, x(), methods=["occlusion"], targets=[1])
    [expected] = compute_cams(own, x(), methods=["occlusion"], targets=[1])
    torch.testing.assert_close(cam.values, expected.values)
    for _ in range(3):  # TorchScript optimises what has run a few times
        clip = x().requires_grad_()
        scripted(clip).sum().backward()
    for found, wanted in (
        (smooth_gradient(scripted, x(), 1, samples=2), smooth_gradient(own, x(), 1, samples=2)),
        (guided_backprop(scripted, x(), 1), guided_backprop(own, x(), 1)),
    ):
        torch.testing.assert_close(found, wanted)


def test_a_scripted_network_has_its_own_weights_device_and_mode() -> None:
    scripted = torch.jit.script(network().train())
    wrapped = ScriptedNetwork(scripted)
    assert [*wrapped.state_dict()] == [*scripted.state_dict()]
    assert len([*wrapped.parameters()]) == 6 and [*wrapped.named_modules()] == [("", wrapped)]
    wrapped.eval()
    assert not scripted.training
    wrapped.double()
    assert next(wrapped.parameters()).dtype == next(scripted.parameters()).dtype == torch.float64
    scripted.train()
    scripted.relu.eval()
    compute_cams(scripted, x().double(), methods=["occlusion"])
    modes = {name: part.training for name, part in scripted.named_modules()}
    assert [name for name, training in modes.items() if not training] == ["relu"]
    assert all(one.requires_grad for one in scripted.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"methods": ["gradcam"]}, "gradcam needs a network's layers, and .* gives scores alone"),
        ({"layers": ["conv1"]}, r"give --method occlusion or rise \(in Python methods=\)"),
        ({"layers": ["conv1"], "methods": ["occlusion"]}, "layers conv1 are named"),
        ({"layers": ["a"], "methods": ["scorecam", "occlusion"]}, "scorecam needs a network's"),
    ],
)
@pytest.mark.parametrize("kind", ["function", "TorchScript"])
def test_methods_of_layers_are_refused(kind: str, options: Any, words: str) -> None:
    own = network()
    given = torch.jit.script(own) if kind == "TorchScript" else lambda clip: own(clip).detach()
    with pytest.raises(UsageError, match=words):
        compute_cams(given, x(), **options)


def test_gradients_of_a_function_are_refused() -> None:
    for compute in (guided_backprop, smooth_gradient):
        with pytest.raises(UsageError, match="need a network of PyTorch, and a function gives"):
            compute(lambda clip: clip.mean((2, 3, 4)), x())


@pytest.mark.parametrize("wrong", [PoolLinear, 3, None, "r3d_18"])
def test_what_is_no_network(wrong: Any) -> None:
    with pytest.raises(UsageError, match="or a function from a clip"):
        as_network(wrong)
    with pytest.raises(UsageError, match="or a function from a clip"):
        compute_cams(wrong, x(), methods=["occlusion"])


def test_options_that_a_function_does_not_take() -> None:
    with pytest.raises(UsageError, match="a function holds its weights itself"):
        load_model(lambda clip: clip.mean((2, 3, 4)), "none", **SMALL)
    with pytest.raises(UsageError, match="is given clips on the CPU and moves them itself"):
        load_model(lambda clip: clip.mean((2, 3, 4)), device="meta", **SMALL)


def test_a_function_that_fails_says_where() -> None:
    def function(clip: Tensor) -> Tensor:
        raise ValueError("wants 64 pixels")

    with pytest.raises(UsageError, match=r"test_scores_only.py:\d+ in function: .*wants 64 pixels"):
        load_model(function, **SMALL)
