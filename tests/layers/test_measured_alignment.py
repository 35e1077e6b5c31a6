"""Networks whose kernels have one tap: where their cells sit is known, and maps are not late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import video_cam
from video_cam.config import ALIGNMENT_NAMES
from video_cam.layers.alignment import (
    ALIGNMENTS,
    NEAREST,
    cell_centres,
    interpolation_matrix,
    measured,
)
from video_cam.layers.axes import to_grid
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.measured_alignment import measure
from video_cam.layers.receptive_field import (
    UNKNOWN,
    AxisReceptiveField,
    Step,
    trace_receptive_fields,
)

SIZE = (40, 48, 48)
DOWN = 3  # strided convolutions in time; one more in space


class CentreTaps(nn.Module):
    """Convolutions of kernel 3 that look at their middle tap only, then a pool and a head.

    pad: what is put around the input of each, or None for the convolutions' own zeros.
    """

    def __init__(self, pad: Callable[[Tensor], Tensor] | None, own_padding: int) -> None:
        super().__init__()
        self.pad = pad
        strides = [(2, 2, 2)] * DOWN
        self.convs = nn.ModuleList(
            nn.Conv3d(3 if i == 0 else 4, 4, 3, stride, padding=own_padding, bias=False)
            for i, stride in enumerate(strides)
        )
        for conv in self.convs:
            nn.init.zeros_(conv.weight)
            conv.weight.data[:, :, 1, 1, 1] = 1
        self.last = nn.Identity()
        self.head = nn.Linear(4, 2)
        nn.init.ones_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = conv(x if self.pad is None else self.pad(x))
        return self.head(self.last(x).mean((2, 3, 4)))


# Convolutions with their own zeros; none at all; two in front and none behind, as causal ones.
FAMILIES = {
    "same": (None, 1),
    "valid": (None, 0),
    "causal": (lambda x: functional.pad(x, (2, 0) * 3), 0),
}
# The first cell and the distance to the next: p -> 2 p + 1 - padding in front, three times.
FIRST = {"same": 0, "valid": 7, "causal": -7}
MIDDLE = {"same": 16, "valid": 15, "causal": 17}  # a tap far from either end


def network(family: str) -> CentreTaps:
    return CentreTaps(*FAMILIES[family]).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_arithmetic_is_exact(family: str) -> None:
    fields = trace_receptive_fields(network(family), empty(), ["last"])["last"]
    for field, size in zip(fields, SIZE, strict=True):
        assert field is not None
        cells = field.cells(size)
        assert field.centres(cells).tolist() == [FIRST[family] + 8 * i for i in range(cells)]


@pytest.mark.parametrize("family", ["same", "valid"])
def test_the_probe_finds_the_tap(family: str) -> None:
    found = measure(network(family), ["last"], SIZE, to_grid, samples=2)["last"]
    for reach in found:
        expected = [FIRST[family] + 8 * i for i in range(len(reach.centres))]
        np.testing.assert_allclose(reach.centres, expected, atol=0.05)
        assert reach.width < 0.5


def test_the_probe_finds_a_box_and_its_width() -> None:
    """A mean over 5 x 3 x 9 samples: centred, and as wide as it is."""
    box = nn.Sequential(nn.AvgPool3d((5, 3, 9), stride=(5, 3, 9)), nn.Conv3d(3, 1, 1))
    [found] = measure(box, ["0"], (10, 12, 27), to_grid, samples=40).values()
    for reach, size in zip(found, (5, 3, 9), strict=True):
        middles = size * np.arange(len(reach.centres)) + (size - 1) / 2
        np.testing.assert_allclose(reach.centres, middles, atol=0.12 * size)
        # The variance of n samples side by side is (n^2 - 1) / 12.
        assert reach.width == pytest.approx((size**2 - 1) ** 0.5, rel=0.12)


def test_zeros_pull_the_outermost_cells_inwards() -> None:
    """A box of three over zeros: the first cell of a field of them sees more to its right."""
    layers = [nn.AvgPool3d(3, stride=1, padding=1) for _ in range(4)]
    field = nn.Sequential(*layers, nn.Conv3d(3, 1, 1))
    _, y, _ = measure(field, ["3"], (8, 16, 16), to_grid, samples=20)["3"]
    assert y.centres[0] > 0.8 and y.centres[-1] < 15 - 0.8
    np.testing.assert_allclose(y.centres[6:10], [6, 7, 8, 9], atol=0.4)


def test_cells_keep_their_distance_and_take_the_offset_measured() -> None:
    """Stride 2 from 0 on; measured closer together, and half a sample later in the mean."""
    field = AxisReceptiveField((Step(3, 2, 1),), measured=(1.5, 2.5, 3.5))
    np.testing.assert_allclose(measured(3, 6, field), [0.5, 2.5, 4.5])
    np.testing.assert_allclose(measured(3, 6, replace(field, measured=())), [0, 2, 4])


def test_one_frame_has_a_place_in_time() -> None:
    found = measure(network("same"), ["last"], (1, 48, 48), to_grid, samples=1)["last"]
    assert found[0].centres == pytest.approx([0])
    np.testing.assert_allclose(found[1].centres, 8 * np.arange(6), atol=0.05)


def test_a_layer_that_nothing_reaches_is_left_out() -> None:
    dead = nn.Sequential(nn.Conv3d(3, 2, 3), nn.Flatten())
    nn.init.zeros_(dead[0].weight)
    assert measure(dead, ["0", "1"], (4, 8, 8), to_grid, samples=1) == {}


def empty() -> Tensor:
    return torch.zeros(1, 3, *SIZE)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("align", ["receptive-field", "probe"])
def test_a_map_is_neither_late_nor_aside(family: str, align: str) -> None:
    """Spots on a cell's tap: the map's peak is at the frame where the tap is."""
    tap = MIDDLE[family]
    x = empty()
    x[:, :, tap, tap, tap] = 1
    [cam] = video_cam.compute_cams(network(family), x, layers=["last"], targets=[0], align=align)
    volume = video_cam.upsample(cam, SIZE)[0].numpy()
    peak = np.unravel_index(volume.argmax(), volume.shape)
    mass = volume.sum((1, 2))
    assert abs(peak[0] - tap) <= 0.5
    assert abs((mass * np.arange(SIZE[0])).sum() / mass.sum() - tap) <= 0.5
    if align == "probe":
        assert abs(peak[1] - tap) <= 1 and abs(peak[2] - tap) <= 1


def test_half_pixel_is_late_by_half_a_cell_less_half_a_frame() -> None:
    net = network("same")
    x = empty()
    x[:, :, 8, 8, 8] = 1
    [cam] = video_cam.compute_cams(net, x, layers=["last"], targets=[0], align="half-pixel")
    volume = video_cam.upsample(cam, SIZE)[0].numpy().sum((1, 2))
    assert (volume * np.arange(SIZE[0])).sum() / volume.sum() - 8 == pytest.approx(3.5, abs=0.1)


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


def test_measured_once_until_the_weights_change(monkeypatch) -> None:
    runs = []
    monkeypatch.setattr(
        "video_cam.layers.cell_positions.measure",
        lambda *a: runs.append(a) or measure(*a, samples=1),
    )
    net = network("same")

    def ask() -> None:
        find_receptive_fields(net, empty(), ["last"], to_grid, "probe")

    ask()
    ask()
    assert len(runs) == 1
    with torch.no_grad():
        net.convs[0].weight.mul_(2)
    ask()
    assert len(runs) == 2
    find_receptive_fields(net, empty(), ["last"], to_grid, "receptive-field")
    assert len(runs) == 2


def test_the_probe_leaves_the_network_and_the_random_numbers_alone() -> None:
    net = network("same").train()
    before = torch.random.get_rng_state()
    find_receptive_fields(net, empty(), ["last"], to_grid, "probe")
    assert net.training and net.convs[0].weight.requires_grad
    assert not net.last._forward_hooks
    assert torch.equal(torch.random.get_rng_state(), before)


def test_nearest_is_torchs_own() -> None:
    values = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    size = (6, 15, 12)
    centres = cell_centres((3, 5, 4), size, UNKNOWN, "nearest")
    expected = functional.interpolate(values[:, None], size=size, mode="nearest")[:, 0]
    torch.testing.assert_close(
        video_cam.layers.alignment.interpolate(values, centres, size, size), expected
    )
    matrix = interpolation_matrix(np.array([1.0, 5.0]), np.array([0, 2.9, 3, 9]), nearest=True)
    assert matrix.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]


def test_the_command_knows_every_placement() -> None:
    assert tuple(ALIGNMENTS) == ALIGNMENT_NAMES
    assert set(NEAREST) <= set(ALIGNMENTS)
