"""Traces: shapes in the order of execution, without computing anything where that is possible."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from tests.support.networks import PoolLinear, seeded
from video_cam import UsageError
from video_cam.layers.trace import example, input_dtype, trace


class _Reusing(nn.Module):
    """Runs one layer twice, another never, and returns a grid beside its tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.unused, self.conv, self.twice = nn.ReLU(), nn.Conv3d(3, 4, 2, 2), nn.ReLU()
        self.block = _Tokens()

    def forward(self, x: Tensor) -> Tensor:
        devices.append(x.device.type)
        x = self.twice(self.conv(self.twice(x)))
        return self.block(x)[0].mean(1)


class _Tokens(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, list[int]]:
        return x.flatten(2).mT, list(x.shape[2:])


class _NeedsValues(PoolLinear):
    def forward(self, x: Tensor) -> Tensor:
        devices.append(x.device.type)
        return super().forward(x) if x.max() >= 0 else x  # shapes alone do not say


devices: list[str] = []


@pytest.fixture(autouse=True)
def _no_devices() -> None:
    devices.clear()


def test_modules_in_the_order_in_which_they_end() -> None:
    found = trace(_Reusing(), torch.empty(1, 3, 4, 8, 8)).modules
    assert list(found) == ["conv", "twice", "block"]
    assert found["conv"].shape == (1, 4, 2, 4, 4) and found["conv"].kind is nn.Conv3d
    assert found["twice"].calls == 2 and found["conv"].calls == 1
    assert found["block"].shape == (1, 32, 4) and found["block"].grid == (2, 4, 4)
    assert devices == ["meta"]


def test_an_input_size_is_traced_once() -> None:
    network = _Reusing()
    for frames in (4, 4, 8):
        trace(network, torch.empty(1, 3, frames, 8, 8))
    assert len(devices) == 2


def test_a_network_that_needs_values_runs_on_zeros_and_is_left_as_it_was() -> None:
    network = seeded(_NeedsValues).train()
    before = state_of(network)
    found = trace(network, example(network, (4, 12, 10)))
    assert devices == ["meta", "cpu"]
    assert found.outputs.shape == (1, 4) and found.modules["conv2"].shape == (1, 5, 2, 3, 3)
    assert_same_state(before, network)


def test_an_input_that_does_not_fit_is_refused_with_the_networks_own_words() -> None:
    with pytest.raises(UsageError) as caught:
        trace(PoolLinear(), torch.empty(1, 4, 4, 8, 8))
    assert "does not run on an input of (1, 4, 4, 8, 8): RuntimeError:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_example_has_the_dtype_of_the_network() -> None:
    assert example(seeded(PoolLinear), (2, 4, 6)).dtype == torch.float64
    assert example(seeded(PoolLinear), (2, 4, 6)).shape == (1, 3, 2, 4, 6)
    assert input_dtype(nn.ReLU()) == torch.float32
