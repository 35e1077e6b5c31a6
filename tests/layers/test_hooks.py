"""Hooks: what is captured, and that networks are left exactly as they were."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from video_cam import UsageError, compute_cams, load_model
from video_cam.layers.hooks import (
    capture,
    find_module,
    forward_hooks,
    frozen_evaluation,
    retried_with_copies,
    unwrapped,
)

# ---------------------------------------------------------------------------------- capture


def test_captured_outputs_and_gradients() -> None:
    network = seeded(PoolLinear).eval()
    with capture(network, ["conv1", "relu"]) as captured:
        outputs = network(clip())
        gradients = captured.gradients(outputs[:, 2].sum())
    expected = network.conv1(clip())
    assert torch.equal(captured.activations["conv1"], expected)
    # d score / d relu = W / n, behind an average over n cells.
    cells = captured.activations["relu"][0, 0].numel()
    weight = network.fc.weight[2, None, :, None, None, None] / cells
    torch.testing.assert_close(gradients["relu"], weight.expand_as(gradients["relu"]).detach())
    assert gradients["conv1"].shape == expected.shape and (gradients["conv1"] != 0).any()
    assert all(parameter.grad is None for parameter in network.parameters())


def test_nothing_before_the_first_layer_is_stored() -> None:
    network = seeded(Nonlinear)
    with capture(network, ["layer2"]) as captured:
        network(clip())
        assert captured.activations["layer2"].is_leaf


def test_captured_outputs_are_not_changed_by_later_operations() -> None:
    network = nn.Sequential(nn.Conv3d(3, 4, 1), nn.ReLU(inplace=True))
    with capture(network, ["0"]) as captured:
        outputs = network(clip().float())
    assert (captured.activations["0"] < 0).any() and (outputs >= 0).all()


class _Pair(NamedTuple):
    number: int
    tensor: Tensor


@pytest.mark.parametrize(
    "wrap",
    [lambda y: (1, y), lambda y: [y, y * 0], lambda y: _Pair(1, y)],
    ids=["tuple", "list", "named tuple"],
)
def test_of_a_tuple_or_list_the_first_tensor_is_captured(wrap) -> None:
    class Wrapping(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return wrap(x * 2)

    network, x = nn.Sequential(Wrapping()), clip()
    with capture(network, ["0"]) as captured:
        output = network(x)
    assert torch.equal(captured.activations["0"], 2 * x)
    assert type(output) is type(wrap(x)) and len(output) == len(wrap(x))


@pytest.mark.parametrize("fails", [False, True])
def test_capture_leaves_the_network_as_it_was(fails: bool) -> None:
    network = seeded(Nonlinear).train()
    network.layer2.eval()
    network.layer1.bias.requires_grad_(False)
    network(clip()).sum().backward()
    before = state_of(network)
    try:
        with capture(network, ["layer2"]):
            assert not any(module.training for module in network.modules())
            assert not any(parameter.requires_grad for parameter in network.parameters())
            network(clip())
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    assert_same_state(before, network)


def test_wrong_layers_are_refused() -> None:
    network = seeded(Nonlinear)
    with pytest.raises(UsageError, match="unknown layer 'layer9': did you mean"):
        find_module(network, "layer9")
    with capture(network, ["layer2"]) as captured:
        network(clip())
        with pytest.raises(UsageError, match="'layer2' runs more than once"):
            network(clip())
        captured.clear()
        network(clip())
    with capture(network, ["layer2"]) as captured:
        network(clip())
        with pytest.raises(UsageError, match="does not depend on layer 'layer2' by a gradient"):
            captured.gradients(network.fc.weight.sum())
        with pytest.raises(UsageError, match="does not depend on layer 'layer2'"):
            captured.gradients(2 * torch.ones((), requires_grad=True))


# ---------------------------------------------------------------------------- forward_hooks


def test_forward_hooks_see_outputs_and_may_replace_them() -> None:
    network, called = seeded(PoolLinear), []

    def hook(name: str, module: nn.Module, output: Tensor) -> Tensor | None:
        called.append((name, module))
        return output * 0 if name == "last" else None

    plain = network(clip())
    with forward_hooks({"first": network.conv1, "last": network.fc}, hook):
        outputs = network(clip())
    assert called == [("first", network.conv1), ("last", network.fc)]
    assert (outputs == 0).all() and torch.equal(network(clip()), plain)


@pytest.mark.parametrize("where", ["block", "hook", "forward"])
def test_forward_hooks_are_removed_after_an_exception(where: str) -> None:
    network = seeded(PoolLinear)
    before = state_of(network)

    def hook(name: str, _module: nn.Module, _output: Tensor) -> None:
        if where == "hook" and name == "fc":
            raise ZeroDivisionError

    modules = {"conv1": network.conv1, "fc": network.fc}
    with pytest.raises((ZeroDivisionError, RuntimeError)), forward_hooks(modules, hook):
        assert len(network.conv1._forward_hooks) == len(network.fc._forward_hooks) == 1
        network(clip()[:, :2] if where == "forward" else clip())
        if where == "block":
            raise ZeroDivisionError
    assert_same_state(before, network)


# ---------------------------------------------------------------------- retried_with_copies


def gradient_of_exp_changed_in_place(runs: list[int]) -> Tensor:
    x = torch.ones(2, requires_grad=True)
    runs.append(1)
    y = x.exp()
    saved = y.clone()
    y += 1  # autograd had saved the output of exp
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, saved)
    return gradient


def test_a_pass_that_changes_a_saved_tensor_is_repeated_once_with_copies() -> None:
    runs: list[int] = []
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        gradient_of_exp_changed_in_place(runs)
    runs.clear()
    gradient = retried_with_copies(lambda: gradient_of_exp_changed_in_place(runs))
    torch.testing.assert_close(gradient, torch.full((2,), 1.0).exp())
    assert len(runs) == 2


def test_other_passes_run_once() -> None:
    runs: list[int] = []

    def fails() -> None:
        runs.append(1)
        raise RuntimeError("something else")

    assert retried_with_copies(lambda: runs.append(1) or "result") == "result"
    assert len(runs) == 1
    with pytest.raises(RuntimeError, match="something else"):
        retried_with_copies(fails)
    assert len(runs) == 2


# ------------------------------------------------------------------------ frozen evaluation


def test_transformer_layers_call_their_sub_modules(monkeypatch) -> None:
    """Their fused path, which evaluation without gradients takes, calls none."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network, x, called = nn.Sequential(layer).eval(), torch.randn(2, 5, 8), []
    own_forward = layer.linear1.forward
    monkeypatch.setattr(layer.linear1, "forward", lambda x: called.append(1) or own_forward(x))
    with torch.no_grad():
        with frozen_evaluation(network):
            network(x)
        assert called == [1]
        network(x)
    assert called == [1] and torch.backends.mha.get_fastpath_enabled()


def test_networks_are_taken_out_of_their_wrappers() -> None:
    network = seeded(PoolLinear)
    assert unwrapped(network) is network
    assert unwrapped(nn.DataParallel(network)) is network
    assert unwrapped(torch.compile(nn.DataParallel(network), backend="eager")) is network


def test_recurrent_layers_run_without_cudnn_and_nothing_else(monkeypatch) -> None:
    network = load_model("frame_lstm", "none", num_frames=3, size=(16, 16)).module
    monkeypatch.setattr(sys.modules["video_cam.layers.hooks"], "_on_cuda", lambda module: True)
    used: dict[str, bool] = {}

    def note(name: str) -> Any:
        return lambda *_: used.update({name: torch.backends.cudnn.enabled})

    handles = [
        getattr(network, name).register_forward_pre_hook(note(name)) for name in ("cnn", "fc")
    ]
    own_forward = network.lstm.forward
    monkeypatch.setattr(
        network.lstm, "forward", lambda *x: (note("lstm")(), own_forward(*x))[1], raising=False
    )
    compute_cams(network, torch.randn(1, 3, 3, 16, 16), layers=["cnn"], align="half-pixel")
    assert used == {"cnn": True, "lstm": False, "fc": True}
    assert torch.backends.cudnn.enabled

    def fails(*_: Any) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr(network.lstm, "forward", fails)
    with pytest.raises(RuntimeError, match="half-way"), capture(network, ["cnn"]):
        network(torch.randn(1, 3, 3, 16, 16))
    assert torch.backends.cudnn.enabled and not network.lstm._forward_pre_hooks
    for handle in handles:
        handle.remove()


class _Pyramid(nn.Module):
    """Returns a grid, and functions of it that take another way to the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv3d(3, 4, 3, padding=1), nn.Linear(4, 4)
        self.runs = 0

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        y = self.conv(x)
        return y, {"coarse": self.fc((y**3).mean((2, 3, 4)))}


class _TwoWays(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv3d(3, 3, 1), _Pyramid()
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x -= 0.5  # in place: a repeated pass must begin with the input as it was
        y, others = self.block(self.stem(x).relu_())
        return self.head(y.mean((2, 3, 4)) * others["coarse"] + others["coarse"])


@pytest.mark.parametrize("layers", [["block"], ["stem", "block"]])
@pytest.mark.parametrize("method", ["hirescam", "smoothgradcam++"])
def test_a_layer_that_returns_y_and_a_function_of_y(layers: list[str], method: str) -> None:
    """The gradient reaches y on both ways, as it does where the graph begins at the input."""
    torch.manual_seed(0)
    network, x = _TwoWays().eval(), torch.randn(2, 3, 4, 6, 6)
    before = x.clone()
    options = {"methods": [method], "targets": [1], "align": "half-pixel"}
    cam = compute_cams(network, x, layers=layers, **options)[-1]
    assert torch.equal(x, before)
    [expected] = compute_cams(network, x, layers=["stem", "block"], **options)[1:]
    torch.testing.assert_close(cam.values, expected.values)
    if method == "hirescam":
        y = network.block.conv((network.stem(x - 0.5)).relu())
        other = network.block.fc((y**3).mean((2, 3, 4)))
        score = network.head(y.mean((2, 3, 4)) * other + other)[:, 1].sum()
        (G,) = torch.autograd.grad(score, y)
        torch.testing.assert_close(cam.values, (G * y).sum(1).detach())
