"""Measured centres and widths against networks in which they are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.support.centre_taps import CENTRES, SIZE, centre_taps
from tests.support.model_state import assert_same_state, state_of
from video_cam import compute_cams, upsample
from video_cam.layers import measured_alignment
from video_cam.layers.axes import to_grid
from video_cam.layers.measured_alignment import CLIPS_FOR_SMALL_NETWORKS, drawn_input, measure


@pytest.mark.parametrize("family", ["same", "valid"])
def test_the_centre_of_a_single_tap(family: str) -> None:
    found = measure(centre_taps(family), ["last"], SIZE, to_grid, samples=2)["last"]
    for field in found:
        expected = CENTRES[family](len(field.centres))
        np.testing.assert_allclose(field.centres, expected, atol=0.05)
        assert field.width < 0.5


class _Filter(nn.Module):
    """A filter over five frames, plus ``even`` times the mean square of these frames."""

    TAPS = (0.2, -0.5, 1.0, 0.9, 0.1)

    def __init__(self, even: float) -> None:
        super().__init__()
        self.even, self.last = even, nn.Identity()
        self.taps = nn.Parameter(
            torch.tensor(self.TAPS).reshape(1, 1, 5, 1, 1).repeat(3, 1, 1, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        linear = functional.conv3d(x, self.taps, groups=3)
        even = functional.avg_pool3d(x.square(), (5, 1, 1), 1)
        return self.last(linear + self.even * even).mean((2, 3, 4))


def _still(_seed: int, size: Sequence[int]) -> Tensor:
    return torch.zeros(1, 3, *size)


def _moving_at_the_end(seed: int, size: Sequence[int]) -> Tensor:
    x = drawn_input(seed, size)
    x[:, :, : size[0] - 3] = x[:, :, :1]
    return x


@pytest.mark.parametrize("clip", [drawn_input, _still, _moving_at_the_end])
def test_a_filter_over_time_is_found_whatever_the_clip_shows(
    clip: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its centre is sum t h^2 / sum h^2."""
    monkeypatch.setattr(measured_alignment, "drawn_input", clip)
    t, y, x = measure(_Filter(0), ["last"], (12, 48, 48), to_grid, samples=1)["last"]
    weights = np.square(_Filter.TAPS)
    middle = (np.arange(5) * weights).sum() / weights.sum()
    np.testing.assert_allclose(t.centres - np.arange(8), middle, atol=0.05)
    for field in (y, x):
        np.testing.assert_allclose(field.centres, np.arange(48), atol=0.05)


def test_what_noise_of_either_sign_raises_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares of a still clip, without a gradient there: the mean centre is that of the filter."""
    monkeypatch.setattr(measured_alignment, "drawn_input", _still)
    for field, length in zip(
        measure(_Filter(10), ["last"], (12, 48, 48), to_grid, samples=1)["last"],
        (12, 48, 48),
        strict=True,
    ):
        expected = (length - 1) / 2
        if length == 12:
            weights = np.square(_Filter.TAPS)
            expected += (np.arange(5) * weights).sum() / weights.sum() - 2
        assert field.centres.mean() == pytest.approx(expected, abs=0.05)


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


def test_the_number_of_clips_and_the_network_afterwards(all_clips: None) -> None:
    network, passes = centre_taps("same").train(), []
    network.head.register_forward_hook(lambda *_: passes.append(1))
    before = state_of(network)
    first = measure(network, ["last"], (4, 8, 8), to_grid)["last"]
    assert len(passes) == 8 * CLIPS_FOR_SMALL_NETWORKS
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
