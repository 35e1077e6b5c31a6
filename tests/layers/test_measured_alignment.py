"""Measured centres and widths against networks in which they are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.centre_taps import CENTRES, SIZE, centre_taps
from tests.support.model_state import assert_same_state, state_of
from video_cam import compute_cams, upsample
from video_cam.layers.axes import to_grid
from video_cam.layers.measured_alignment import CLIPS_FOR_SMALL_NETWORKS, measure


@pytest.mark.parametrize("family", ["same", "valid"])
def test_the_centre_of_a_single_tap(family: str) -> None:
    found = measure(centre_taps(family), ["last"], SIZE, to_grid, samples=2)["last"]
    for field in found:
        expected = CENTRES[family](len(field.centres))
        np.testing.assert_allclose(field.centres, expected, atol=0.05)
        assert field.width < 0.5


def test_the_centre_and_width_of_a_box() -> None:
    """A mean over 5 x 3 x 9 samples."""
    network = nn.Sequential(nn.AvgPool3d((5, 3, 9), stride=(5, 3, 9)), nn.Conv3d(3, 1, 1))
    [found] = measure(network, ["0"], (10, 12, 27), to_grid, samples=40).values()
    for field, size in zip(found, (5, 3, 9), strict=True):
        expected = size * np.arange(len(field.centres)) + (size - 1) / 2
        np.testing.assert_allclose(field.centres, expected, atol=0.12 * size)
        # The variance of n samples side by side is (n^2 - 1) / 12.
        assert field.width == pytest.approx((size**2 - 1) ** 0.5, rel=0.12)


def test_zero_padding_moves_the_outermost_centres_inwards() -> None:
    """The gradient of a cell at the border covers fewer samples on the border's side."""
    layers = [nn.AvgPool3d(3, stride=1, padding=1) for _ in range(4)]
    network = nn.Sequential(*layers, nn.Conv3d(3, 1, 1))
    _, y, _ = measure(network, ["3"], (8, 16, 16), to_grid, samples=20)["3"]
    assert y.centres[0] > 0.8 and y.centres[-1] < 15 - 0.8
    np.testing.assert_allclose(y.centres[6:10], [6, 7, 8, 9], atol=0.4)


def test_a_single_frame_has_a_centre_in_time() -> None:
    t, y, _ = measure(centre_taps("same"), ["last"], (1, 48, 48), to_grid, samples=1)["last"]
    assert t.centres == pytest.approx([0])
    np.testing.assert_allclose(y.centres, 8 * np.arange(6), atol=0.05)


def test_layers_without_a_gradient_or_a_grid_are_left_out() -> None:
    network = nn.Sequential(nn.Conv3d(3, 2, 3), nn.Flatten())
    assert measure(network, ["0", "1"], (4, 8, 8), to_grid, samples=1).keys() == {"0"}
    nn.init.zeros_(network[0].weight)
    assert measure(network, ["0", "1"], (4, 8, 8), to_grid, samples=1) == {}


def test_the_number_of_clips_and_the_network_afterwards() -> None:
    network, passes = centre_taps("same").train(), []
    network.head.register_forward_hook(lambda *_: passes.append(1))
    before = state_of(network)
    first = measure(network, ["last"], (4, 8, 8), to_grid)["last"]
    assert len(passes) == 6 * CLIPS_FOR_SMALL_NETWORKS
    assert_same_state(before, network)
    second = measure(network, ["last"], (4, 8, 8), to_grid)["last"]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.centres, b.centres)


@pytest.mark.parametrize("family", CENTRES)
@pytest.mark.parametrize("align", ["receptive-field", "probe"])
def test_a_map_is_neither_late_nor_aside(family: str, align: str) -> None:
    """A bright spot on a cell's tap, far from the border: the map's peak is on the spot."""
    tap = CENTRES[family](4)[{"same": 2, "valid": 1, "causal": 3}[family]]
    x: Tensor = torch.zeros(1, 3, *SIZE)
    x[:, :, tap, tap, tap] = 1
    [cam] = compute_cams(centre_taps(family), x, layers=["last"], targets=[0], align=align)
    volume = upsample(cam, SIZE)[0].numpy()
    peak = np.unravel_index(volume.argmax(), volume.shape)
    mass = volume.sum((1, 2))
    assert abs(peak[0] - tap) <= 0.5
    assert abs((mass * np.arange(SIZE[0])).sum() / mass.sum() - tap) <= 0.5
    if align == "probe":
        assert abs(peak[1] - tap) <= 1 and abs(peak[2] - tap) <= 1
