"""Receptive fields with measured centres: what is measured, and how often."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import video_cam
from tests.support.centre_taps import SIZE, centre_taps
from tests.support.model_state import assert_same_state, state_of
from video_cam.layers import cell_positions
from video_cam.layers.alignment import cell_centres
from video_cam.layers.axes import Unpack, to_grid
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.measured_alignment import measure
from video_cam.layers.receptive_field import UNKNOWN


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list to which every measurement adds its arguments; it takes one clip."""
    calls: list[Any] = []

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return measure(*arguments, samples=1)

    monkeypatch.setattr(cell_positions, "measure", counted)
    return calls


def find(network: nn.Module, align: str = "probe", unpack: Unpack = to_grid) -> Any:
    return find_receptive_fields(network, torch.zeros(1, 3, *SIZE), ["last"], unpack, align)


def test_the_centres_are_measured_where_the_alignment_needs_it(measured) -> None:
    network = centre_taps("same")
    arithmetic = find(network, "receptive-field")["last"]
    assert [field.measured for field in arithmetic] == [()] * 3 and not measured
    fields = find(network)["last"]
    assert [field.steps for field in fields] == [field.steps for field in arithmetic]
    [expected] = measure(network, ["last"], SIZE, to_grid, samples=1).values()
    for field, axis in zip(fields, expected, strict=True):
        assert field.measured == tuple(axis.centres)


def test_measured_once_until_the_weights_or_the_unpacking_change(measured) -> None:
    network = centre_taps("same")
    first, again = find(network), find(network)
    assert len(measured) == 1 and again == first
    with torch.no_grad():
        network.convs[0].weight.mul_(2)
    find(network)
    assert len(measured) == 2

    def reversed_in_time(output: Tensor) -> Tensor:
        return output.flip(2)

    for _ in range(2):
        backwards = find(network, unpack=reversed_in_time)["last"]
    assert len(measured) == 3
    assert first["last"][0].measured[0] < 1 and backwards[0].measured[0] > 30
    assert find(network)["last"] == first["last"] and len(measured) == 3


def test_the_network_and_the_random_numbers_are_left_as_they_were() -> None:
    network = centre_taps("same").train()
    before = state_of(network)
    find(network)
    assert_same_state(before, network)


@pytest.mark.parametrize("channels", [1, 2])
def test_inputs_without_three_channels_are_left_to_arithmetic(channels: int, measured) -> None:
    network = nn.Sequential(nn.Conv3d(channels, 4, 3, 2, 1), nn.Flatten(), nn.LazyLinear(2))
    x = torch.randn(1, channels, 4, 8, 8)
    network(x)
    fields = find_receptive_fields(network, x, ["0"], to_grid, "probe")["0"]
    assert cell_centres((2, 4, 4), (4, 8, 8), fields, "probe").t.tolist() == [0, 2]
    assert not measured


class SlowAndFast(nn.Module):
    """Two pathways with one tap per cell; the slow one is given first."""

    def __init__(self) -> None:
        super().__init__()
        self.slow, self.fast = (nn.Conv3d(3, 4, 3, (1, 4, 4), 1) for _ in range(2))
        for conv in (self.slow, self.fast):
            nn.init.zeros_(conv.weight)
            conv.weight.data[:, :, 1, 1, 1] = 1
        self.fc = nn.Linear(4, 2)

    def forward(self, x: list[Tensor]) -> Tensor:
        x[0], x[1] = self.slow(x[0]), self.fast(x[1])
        return self.fc(x[0].mean((2, 3, 4)) + x[1].mean((2, 3, 4)))


@pytest.mark.parametrize("frames", [[0, 4, 8, 12], [0, 5, 10, 15], [3, 7, 11, 15]])
def test_cells_of_a_slow_pathway_are_at_its_own_frames(frames: list[int]) -> None:
    """Half-pixel alignment has them at 1.5, 5.5, 9.5 and 13.5."""
    fast = torch.randn(1, 3, 16, 32, 32)
    x = [fast[:, :, frames], fast]
    slow, both = video_cam.compute_cams(SlowAndFast(), x, layers=["slow", "fast"])
    np.testing.assert_allclose(slow.centres.t, frames, atol=0.1)
    np.testing.assert_allclose(both.centres.t, np.arange(16), atol=0.1)
    for axis in (slow.centres.y, both.centres.x):
        np.testing.assert_allclose(axis, 4 * np.arange(8), atol=0.1)


def test_several_inputs_without_measuring_or_with_an_unpack_are_unknown(measured) -> None:
    x = [torch.zeros(1, 3, *SIZE)]
    for align in ("probe", "receptive-field"):
        fields = find_receptive_fields(centre_taps("same"), x, ["last"], to_grid, align)
        assert fields == {"last": UNKNOWN} and not measured


def test_a_path_without_arithmetic_is_measured() -> None:
    """Every second frame, chosen by index: arithmetic sees no stride there."""

    class EverySecond(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv3d(3, 4, 1), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.conv(x[:, :, torch.arange(0, x.shape[2], 2)]).mean((2, 3, 4)))

    x = torch.randn(1, 3, 8, 16, 16)
    [cam] = video_cam.compute_cams(EverySecond(), x, layers=["conv"])
    np.testing.assert_allclose(cam.centres.t, [0, 2, 4, 6], atol=0.3)


def test_frames_scored_one_by_one_keep_their_positions_in_time() -> None:
    model = video_cam.load_model("resnet18", "none", size=(64, 64))
    x = torch.empty(1, 3, 4, 64, 64)
    folds = model.layers((4, 64, 64), ["layer4"]).folds
    fields = find_receptive_fields(model.module, x, ["layer4"], folds, "probe")
    centres = cell_centres((4, 2, 2), (4, 64, 64), fields["layer4"], "probe")
    assert centres.t.tolist() == [0, 1, 2, 3]
