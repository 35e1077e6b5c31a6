"""Receptive fields by arithmetic: literal centres, and steps traced in networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import video as torchvision_video

from tests.support.centre_taps import CENTRES, SIZE, centre_taps
from video_cam.layers.receptive_field import (
    UNKNOWN,
    AxisReceptiveField,
    AxisStep,
    trace_receptive_fields,
)


@pytest.mark.parametrize(
    ("steps", "cells", "expected"),
    [
        ([AxisStep(3, 2, 1)], 3, [0, 2, 4]),  # kernel 3 with padding: cell i on sample 2 i
        ([AxisStep(2, 2, 0)], 3, [0.5, 2.5, 4.5]),  # a patch embedding: exactly half-pixel
        ([AxisStep(16, 16, 0)], 2, [7.5, 23.5]),
        ([AxisStep(3, 2, 1), AxisStep(3, 2, 1)], 2, [0, 4]),
        ([AxisStep(2, 2, 0), AxisStep(3, 2, 1)], 2, [1, 5]),  # a pool behind a strided convolution
        ([AxisStep(3, 1, 0)], 3, [1, 2, 3]),  # without padding the first cell is on sample 1
        ([AxisStep(3, 1, 2, 2)], 2, [0, 1]),
    ],
)
def test_centres(steps: list[AxisStep], cells: int, expected: list[float]) -> None:
    assert AxisReceptiveField(tuple(steps)).centres(cells).tolist() == expected


@pytest.mark.parametrize(
    ("steps", "length", "cells_of_16"),
    [
        ([], 1, 16),
        ([AxisStep(3, 2, 1)], 3, 8),
        ([AxisStep(3, 1, 0)], 3, 14),
        ([AxisStep(3, 1, 2, 2)], 5, 16),
        ([AxisStep(3, 1, 1), AxisStep(3, 2, 1)], 7, 8),
        ([AxisStep(1, 1, 2, padding_after=0)], 1, 18),
        ([AxisStep(1, 1, -2, padding_after=-4)], 1, 10),  # the slice [2:-4]
    ],
)
def test_lengths_and_numbers_of_cells(steps: list[AxisStep], length: int, cells_of_16: int) -> None:
    field = AxisReceptiveField(tuple(steps))
    assert field.length() == length and field.cells(16) == cells_of_16


@pytest.mark.parametrize(
    ("name", "layer", "size", "in_time", "in_space"),
    [
        ("r3d_18", "layer4", (16, 112, 112), (0, 8), 16),
        ("r3d_18", "layer2", (16, 112, 112), range(0, 16, 2), 4),
        ("mc3_18", "layer4", (16, 112, 112), range(16), 16),
        ("r2plus1d_18", "layer4", (16, 112, 112), (0, 8), 16),
        ("r2plus1d_18", "layer3", (8, 64, 64), (0, 4), 8),
    ],
)
def test_torchvision_networks(name: str, layer: str, size, in_time, in_space: int) -> None:
    with torch.device("meta"):
        network = getattr(torchvision_video, name)()
    x = torch.empty(1, 3, *size, device="meta")
    t, y, x = trace_receptive_fields(network, x, [layer])[layer]
    assert t.centres(t.cells(size[0])).tolist() == list(in_time)
    assert np.diff(y.centres(y.cells(size[1]))).tolist() == [in_space] * (y.cells(size[1]) - 1)
    assert y.centres(1)[0] == x.centres(1)[0] == 0


@pytest.mark.parametrize("family", CENTRES)
def test_centres_of_kernels_with_one_tap_are_exact(family: str) -> None:
    x = torch.zeros(1, 3, *SIZE)
    fields = trace_receptive_fields(centre_taps(family), x, ["last"])["last"]
    for field, size in zip(fields, SIZE, strict=True):
        assert field is not None
        cells = field.cells(size)
        assert field.centres(cells).tolist() == CENTRES[family](cells)


def test_a_bright_frame_changes_the_cell_with_that_centre() -> None:
    """Kernels with one tap in the middle move nothing."""
    layers = [nn.Conv3d(1, 1, 3, stride=(2, 2, 2), padding=1, bias=False) for _ in range(2)]
    network = nn.Sequential(*layers, nn.MaxPool3d((2, 1, 1), stride=(2, 1, 1)))
    for layer in layers:
        nn.init.zeros_(layer.weight)
        layer.weight.data[0, 0, 1, 1, 1] = 1
    x = torch.zeros(1, 1, 32, 32, 32)
    t, y, _ = trace_receptive_fields(network, x, ["2"])["2"]
    assert t.centres(t.cells(32)).tolist() == [2, 10, 18, 26]
    for frame, row in [(8, 12), (12, 12), (24, 28)]:
        x = torch.zeros(1, 1, 32, 32, 32)
        x[0, 0, frame, row, 0] = 1
        _, _, cell_t, cell_y, _ = torch.nonzero(network(x))[0].tolist()
        assert abs(t.centres(4)[cell_t] - frame) <= 2
        assert y.centres(8)[cell_y] == row


def test_slices_and_paddings_are_followed() -> None:
    class Sliced(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(3, 2, 3, stride=1, padding=0)

        def forward(self, x: Tensor) -> Tensor:
            x = functional.pad(x[:, :, 1::4, 2:-2], (1, 1, 0, 0), mode="constant")
            return self.conv(functional.pad(x, (0, 0, 1, 1, 1, 1)))

    t, y, x = trace_receptive_fields(Sliced(), torch.zeros(1, 3, 16, 12, 10), ["conv"])["conv"]
    assert t is not None and t.centres(t.cells(16)).tolist() == [1, 5, 9, 13]
    assert y is not None and y.centres(y.cells(12)).tolist() == list(range(2, 10))
    assert x is not None and x.centres(x.cells(10)).tolist() == list(range(10))


class _Upsampling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose3d(3, 3, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class _NeedsValues(_Upsampling):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else self.layer(x)


@pytest.mark.parametrize("build", [_Upsampling, _NeedsValues])
def test_what_has_no_arithmetic_is_unknown(build: Callable[[], nn.Module]) -> None:
    x = torch.zeros(1, 3, 4, 8, 8)
    assert trace_receptive_fields(build(), x, ["layer"]) == {"layer": UNKNOWN}
    assert trace_receptive_fields(build(), [x], ["layer"]) == {"layer": UNKNOWN}
