"""Where cells sit, and what interpolation between them does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import video as torchvision_video

import video_cam
from video_cam.layers.alignment import (
    arithmetic,
    cell_centres,
    corners,
    grid_positions,
    half_pixel,
    interpolate,
    interpolation_matrix,
)
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.receptive_field import (
    UNKNOWN,
    AxisReceptiveField,
    Step,
    trace_receptive_fields,
)


@pytest.mark.parametrize(
    ("place", "cells", "size", "expected"),
    [
        (half_pixel, 2, 16, [3.5, 11.5]),
        (half_pixel, 1, 16, [7.5]),
        (half_pixel, 4, 4, [0, 1, 2, 3]),
        (corners, 2, 16, [0, 15]),
        (corners, 1, 16, [7.5]),
        (arithmetic, 2, 16, [3.5, 11.5]),  # no field is known
    ],
)
def test_centres(place, cells: int, size: int, expected: list[float]) -> None:
    assert place(cells, size).tolist() == expected


@pytest.mark.parametrize(
    ("steps", "cells", "expected"),
    [
        ([Step(3, 2, 1)], 3, [0, 2, 4]),  # the padded kernel 3: cell i on sample 2 i
        ([Step(2, 2, 0)], 3, [0.5, 2.5, 4.5]),  # a patch embedding: exactly half-pixel
        ([Step(16, 16, 0)], 2, [7.5, 23.5]),
        ([Step(3, 2, 1), Step(3, 2, 1)], 2, [0, 4]),
        ([Step(2, 2, 0), Step(3, 2, 1)], 2, [1, 5]),  # layer first: pool behind a strided conv
        ([Step(3, 1, 0)], 3, [1, 2, 3]),  # no padding: the first cell sits on sample 1
        ([Step(3, 1, 2, 2)], 2, [0, 1]),
    ],
)
def test_receptive_field_arithmetic(steps: list[Step], cells: int, expected: list[float]) -> None:
    assert AxisReceptiveField(tuple(steps)).centres(cells).tolist() == expected


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
    t, y, x = trace_receptive_fields(network, torch.empty(1, 3, *size, device="meta"), [layer])[
        layer
    ]
    assert t.centres(t.cells(size[0])).tolist() == list(in_time)
    assert np.diff(y.centres(y.cells(size[1]))).tolist() == [in_space] * (y.cells(size[1]) - 1)
    assert y.centres(1)[0] == x.centres(1)[0] == 0


def test_a_traced_chain_says_where_a_bright_frame_shows_up() -> None:
    """Centre-tap kernels move nothing: the cell that lights up is the one whose centre it is."""
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


def test_what_cannot_be_followed_is_placed_by_halves() -> None:
    class Shuffle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose3d(3, 3, 2, stride=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.up(x)

    x = torch.zeros(1, 3, 4, 8, 8)
    fields = trace_receptive_fields(Shuffle(), x, ["up"])["up"]
    assert fields == UNKNOWN
    centres = cell_centres((8, 16, 16), (4, 8, 8), fields, "receptive-field")
    assert centres.t[:2].tolist() == [-0.25, 0.25]


def test_interpolation_is_linear_between_centres_and_constant_beyond() -> None:
    matrix = interpolation_matrix(np.array([0.0, 8.0]), np.array([-1.0, 0.0, 2.0, 8.0, 15.0]))
    np.testing.assert_allclose(matrix, [[1, 0], [1, 0], [0.75, 0.25], [0, 1], [0, 1]])


def test_half_pixel_interpolation_is_torchs_own() -> None:
    values = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    size, fields = (6, 15, 12), UNKNOWN
    centres = cell_centres((3, 5, 4), size, fields, "half-pixel")
    expected = nn.functional.interpolate(values[:, None], size=size, mode="trilinear")[:, 0]
    torch.testing.assert_close(interpolate(values, centres, size, size), expected)
    centres = cell_centres((3, 5, 4), size, fields, "corners")
    expected = nn.functional.interpolate(
        values[:, None], size=size, mode="trilinear", align_corners=True
    )[:, 0]
    torch.testing.assert_close(interpolate(values, centres, size, size), expected)


def test_a_grid_on_another_size_covers_the_same_extent() -> None:
    assert grid_positions(4, 8).tolist() == [0.5, 2.5, 4.5, 6.5]
    assert grid_positions(8, 4).tolist() == [-0.25, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25]


def test_a_measured_centre_lies_within_what_the_cell_depends_on() -> None:
    alone = AxisReceptiveField((), measured=(0.6, 1.7, 2.4))  # of frames that are scored one by one
    assert alone.length() == 1
    assert cell_centres((3, 3, 3), (3, 3, 3), (alone,) * 3, "probe").t.tolist() == [0, 1, 2]
    field = AxisReceptiveField((Step(3, 1, 1), Step(3, 2, 1, 2)), measured=(9.0,))
    assert field.length() == 2 * (3 - 1) + 2 * 2 + 1
    # By strides the cell sits at 1, and half of its field is 4.
    assert cell_centres((1, 1, 1), (4, 4, 4), (field,) * 3, "probe").t.tolist() == [5]


def test_frames_scored_one_by_one_are_placed_one_by_one() -> None:
    model = video_cam.load_model("resnet18", "none", size=(64, 64))
    x = torch.empty(1, 3, 4, 64, 64)
    folds = model.layers((4, 64, 64), ["layer4"]).folds
    fields = find_receptive_fields(model.module, x, ["layer4"], folds, "probe")
    placed = cell_centres((4, 2, 2), (4, 64, 64), fields["layer4"], "probe")
    assert placed.t.tolist() == [0, 1, 2, 3]
