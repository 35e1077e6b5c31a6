"""The Attributor: one pass for everything, and the network is left exactly as it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from video_cam import compute_cams
from video_cam.attribution.attributor import Attributor
from video_cam.attribution.cam_methods import METHODS
from video_cam.attribution_config import AttributionConfig
from video_cam.layers.axes import Unpack, to_grid
from video_cam.layers.receptive_field import UNKNOWN

LAYERS = ("layer1", "layer3")


def attributor(model: nn.Module, layers: tuple[str, ...] = LAYERS, **options: Any) -> Attributor:
    unpack: Unpack = options.pop("unpack", to_grid)
    fields = dict.fromkeys(layers, UNKNOWN)
    return Attributor(model, layers, AttributionConfig(**options), unpack=unpack, fields=fields)


@pytest.fixture
def unusual() -> nn.Module:
    """In training mode except for one module, one frozen parameter, and gradients from before."""
    network = seeded(Nonlinear)
    network.train()
    network.layer2.eval()
    network.layer1.bias.requires_grad_(False)
    network(clip()).sum().backward()
    return network


def forwards_of(network: nn.Module) -> list[str]:
    """A list to which every later forward pass adds the type of its device."""
    runs: list[str] = []
    network.fc.register_forward_hook(lambda *call: runs.append(call[2].device.type))
    return runs


def test_one_forward_serves_all_layers_methods_and_targets() -> None:
    network = seeded(Nonlinear).eval()
    best = network(clip()).argmax(1).tolist()
    runs = forwards_of(network)
    bound = attributor(network, methods=("gradcam", "layercam"))
    result = bound(clip(), [0, [1, 2], None])
    assert runs == ["cpu"]
    assert result.targets == ([0, 0], [1, 2], best)
    assert [ids.tolist() for ids in result.class_ids] == [[0, 0], [1, 2], best]
    assert set(result.maps) == {
        (index, layer, method, "none")
        for index in range(3)
        for layer in LAYERS
        for method in ("gradcam", "layercam")
    }
    # Each map is that of its own layer, method and target.
    for (index, layer, method, _), values in result.maps.items():
        [single] = compute_cams(
            network,
            clip(),
            layers=[layer],
            methods=[method],
            targets=[[[0, 0], [1, 2], best][index]],
            align="half-pixel",
        )
        torch.testing.assert_close(values, single.values)


def test_bound_once_it_can_be_called_with_several_inputs() -> None:
    bound = attributor(seeded(Nonlinear))
    first, second = bound(clip(0), [1]), bound(clip(1), [1])
    again = bound(clip(0), [1])
    for key, values in first.maps.items():
        assert torch.equal(values, again.maps[key])
        assert not torch.allclose(values, second.maps[key])


def test_targets_may_be_chosen_from_the_outputs() -> None:
    network = seeded(Nonlinear).eval()
    received = []

    def second_best(outputs: Tensor) -> list[list[int]]:
        received.append(outputs)
        return [outputs.argsort(1, descending=True)[:, 1].tolist()]

    result = attributor(network)(clip(), second_best)
    assert len(received) == 1 and torch.equal(received[0].detach(), network(clip()).detach())
    assert result.class_ids[0].tolist() == network(clip()).argsort(1)[:, -2].tolist()


def test_the_model_is_left_as_it_was(unusual: nn.Module) -> None:
    before, x = state_of(unusual), clip().requires_grad_()
    attributor(unusual)(x, [0, 1])
    assert_same_state(before, unusual)
    assert x.grad is None and x.requires_grad


@pytest.mark.parametrize("where", ["forward", "target", "choice", "unpack"])
def test_the_model_is_left_as_it_was_after_an_exception(unusual: nn.Module, where: str) -> None:
    before = state_of(unusual)

    def fail(*_: object) -> Any:
        raise ZeroDivisionError(where)

    handle = unusual.fc.register_forward_hook(fail) if where == "forward" else None
    targets: Any = {"target": [fail], "choice": fail}.get(where, [0])
    bound = attributor(unusual, unpack=fail if where == "unpack" else to_grid)
    with pytest.raises(ZeroDivisionError):
        bound(clip(), targets)
    if handle:
        handle.remove()
    assert_same_state(before, unusual)


def failing_after(calls: int) -> Callable[[Tensor], Tensor]:
    """An unpack that fails from a number of calls on."""
    made = 0

    def unpack(output: Tensor) -> Tensor:
        nonlocal made
        made += 1
        if made > calls:
            raise ZeroDivisionError
        return to_grid(output)

    return unpack


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_model_is_left_as_it_was_wherever_a_method_fails(method: str) -> None:
    network = seeded(PoolLinear)
    before = state_of(network)
    for calls in range(100):
        try:
            bound = attributor(network, ("relu",), methods=(method,), unpack=failing_after(calls))
            bound(clip(), [1])
        except ZeroDivisionError:
            assert_same_state(before, network)
        else:
            break
    assert calls >= 1  # it failed at least once, and at last did not
    assert_same_state(before, network)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_model_is_left_as_it_was_when_a_later_pass_fails(method: str) -> None:
    network = seeded(PoolLinear)
    passes = 0

    def fail(*_: object) -> None:
        nonlocal passes
        passes += 1
        if passes > 1:
            raise ZeroDivisionError

    handle = network.fc.register_forward_hook(fail)
    before = state_of(network)
    with suppress(ZeroDivisionError):  # most methods make a single pass
        attributor(network, ("relu",), methods=(method,))(clip(), [1])
    runs_again = {"ablationcam", "fullgrad", "scorecam", "smoothgradcam++"}
    assert passes == (2 if method in runs_again else 1)
    assert_same_state(before, network)
    handle.remove()


def test_frozen_parameters() -> None:
    network, frozen = seeded(Nonlinear), seeded(Nonlinear).requires_grad_(False)
    a, b = (attributor(n)(clip(), [0]).maps for n in (network, frozen))
    assert all(torch.equal(values, b[key]) for key, values in a.items())


def test_it_runs_in_evaluation_mode(unusual: nn.Module) -> None:
    bound = attributor(unusual)
    first, second = (bound(clip(), [0]).maps for _ in range(2))
    # Dropout would make them differ.
    assert all(torch.equal(values, second[key]) for key, values in first.items())


@pytest.mark.parametrize("layer", ["layer1", "layer2", "conv2"])
def test_an_in_place_operation_after_the_layer_does_not_change_the_map(layer: str) -> None:
    build = PoolLinear if layer == "conv2" else Nonlinear
    plain, in_place = (
        attributor(seeded(build, inplace=inplace), (layer,), methods=("layercam",))(clip(), [0])
        for inplace in (False, True)
    )
    key = (0, layer, "layercam", "none")
    assert torch.equal(plain.maps[key], in_place.maps[key])


class _ChangesSavedTensor(Nonlinear):
    """Changes the output of ``relu``, which autograd saves for the backward pass."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.in_place = in_place

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(x)).relu()
        if self.in_place:
            x += 1
        else:
            x = x + 1
        return self.fc(self.layer3(x).mean((2, 3, 4)))


def test_a_network_that_changes_a_saved_tensor_in_place_is_run_once_more() -> None:
    results, choices = [], []

    def choose(outputs: Tensor) -> list[list[int]]:
        choices.append(outputs.argmin(1).tolist())
        return [choices[-1]]

    for in_place, passes in ((False, 1), (True, 2)):
        network = seeded(_ChangesSavedTensor, in_place=in_place)
        runs = forwards_of(network)
        results.append(attributor(network, ("layer2",))(clip(), choose))
        assert len(runs) == passes
    expected, found = results
    assert choices[0] == choices[1] == choices[2] and len(choices) == 3
    assert found.class_ids[0].tolist() == choices[0]
    key = (0, "layer2", "gradcam", "none")
    torch.testing.assert_close(found.maps[key], expected.maps[key])


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_the_caller_has_disabled_gradients(context) -> None:
    expected = attributor(seeded(Nonlinear))(clip(), [0]).maps
    network = seeded(Nonlinear)
    with context():
        found = attributor(network)(clip(), [0]).maps
    assert all(torch.equal(values, found[key]) for key, values in expected.items())


@pytest.mark.parametrize("method", ["gradcam", "cam", "eigencam", "ablationcam"])
def test_bf16_gives_about_the_same_map(method: str) -> None:
    network, x = seeded(PoolLinear).float(), clip().float()
    fp32, bf16 = (
        attributor(network, ("relu",), methods=(method,), precision=precision)(x, [2])
        for precision in ("fp32", "bf16")
    )
    a, b = (result.maps[0, "relu", method, "none"] for result in (fp32, bf16))
    assert not torch.equal(a, b)
    assert torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] > 0.99
