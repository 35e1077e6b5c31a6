"""Which axis of an input is time: by what the network takes, in both orders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.support.model_state import assert_same_state, state_of
from video_cam import compute_cams
from video_cam.layers.clip_axes import channels_first, takes_time_first

OPTIONS = {"layers": ["conv"], "targets": [0], "methods": ["hirescam"]}


class _Clips(nn.Module):
    """Takes (N, C, T, H, W), or (N, T, C, H, W)."""

    def __init__(self, channels: int, time_first: bool) -> None:
        super().__init__()
        self.time_first = time_first
        self.conv = nn.Conv3d(channels, 4, 3, padding=1)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(x.shape[0], -1, *x.shape[2:])  # needs a contiguous input
        x = self.conv(x.transpose(1, 2) if self.time_first else x)
        return self.fc(x.relu().mean((2, 3, 4)))


class _Images(_Clips):
    """The same with a 2D network on single frames."""

    def __init__(self, channels: int, time_first: bool) -> None:
        super().__init__(channels, time_first)
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.time_first else x.transpose(1, 2)
        y = self.conv(x.flatten(0, 1)).relu().mean((2, 3))
        return self.fc(y.unflatten(0, x.shape[:2]).mean(1))


@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("frames", [3, 8])
@pytest.mark.parametrize("build", [_Clips, _Images])
def test_clips_in_both_orders(build, frames: int, channels: int, time_first: bool) -> None:
    torch.manual_seed(0)
    network = build(channels, time_first).eval()
    x = torch.randn(2, channels, frames, 6, 5)
    given = x.transpose(1, 2).contiguous() if time_first else x
    before = state_of(network)
    assert takes_time_first(network, given) == time_first
    [cam] = compute_cams(network, given, align="receptive-field", **OPTIONS)
    assert_same_state(before, network)
    assert cam.input_size == (frames, 6, 5) and len(cam.centres.t) == frames
    reference = build(channels, False).eval()
    reference.load_state_dict(network.state_dict())
    [expected] = compute_cams(reference, x, align="receptive-field", **OPTIONS)
    torch.testing.assert_close(cam.values, expected.values)


class _Patches(nn.Module):
    """Without a convolution: patches of three channels through a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.fc = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.embed(x.movedim(2, -1)).relu().mean((1, 2, 3)))


def test_without_a_convolution_the_axis_that_cannot_be_longer_holds_the_channels() -> None:
    assert takes_time_first(_Patches(), torch.randn(1, 4, 3, 6, 6))


def test_the_network_that_takes_channels_first_is_the_same_in_every_call() -> None:
    network, x = _Clips(3, True), torch.randn(1, 8, 3, 6, 6)
    first, swapped = channels_first(network, x)
    network.conv = nn.Conv3d(3, 4, 1)
    again, _ = channels_first(network, x)
    assert again is first and again.conv is network.conv and type(network) is _Clips
    assert torch.equal(swapped, x.transpose(1, 2))
    torch.testing.assert_close(again(swapped), network(x))


def test_named_inputs_and_inputs_without_clips() -> None:
    class Named(_Clips):
        def forward(self, pixel_values: Tensor, mask: Tensor | None = None) -> Tensor:
            return super().forward(pixel_values)

    network, x = Named(3, True).eval(), torch.randn(2, 8, 3, 6, 6)
    [cam] = compute_cams(network, {"pixel_values": x}, **OPTIONS)
    [expected] = compute_cams(_copy(network), x, **OPTIONS)
    torch.testing.assert_close(cam.values, expected.values)
    images = torch.randn(2, 3, 6, 6)
    assert channels_first(network, images) == (network, images)


def _copy(network: nn.Module) -> nn.Module:
    plain = _Clips(3, True).eval()
    plain.load_state_dict(network.state_dict())
    return plain
