"""The centres of a layer's cells in frames and pixels of the input, and interpolation between them.

Positions count from the centre of the first frame or pixel: 0 is the centre of frame 0, 0.5 lies
between frames 0 and 1. A map is brought to another grid by linear interpolation between the
centres of its cells, each axis by itself, and is constant beyond the outermost centres. With the
alignment "nearest" each position takes the value of the nearest centre.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from video_cam.layers.receptive_field import AxisReceptiveField

Positions = np.ndarray  # float64, one per cell or sample
Alignment = Callable[[int, int, "AxisReceptiveField | None"], Positions]


@dataclass(frozen=True)
class CellCentres:
    """The centres of a layer's cells: t in input frames (T',), y and x in input pixels.

    nearest: whether a map is constant around each centre, not linear between them.
    """

    t: Positions
    y: Positions
    x: Positions
    nearest: bool = False

    @property
    def grid(self) -> tuple[int, int, int]:
        """The number of cells (T', H', W')."""
        return len(self.t), len(self.y), len(self.x)


def half_pixel(cells: int, size: int, field: AxisReceptiveField | None = None) -> Positions:
    """Cells of equal width side by side: cell i is centred on (i + 1/2) size / cells - 1/2."""
    return (np.arange(cells) + 0.5) * (size / cells) - 0.5


def corners(cells: int, size: int, field: AxisReceptiveField | None = None) -> Positions:
    """The first and last cells on the first and last pixel, as align_corners=True does."""
    return np.linspace(0, size - 1, cells) if cells > 1 else np.array([(size - 1) / 2])


def arithmetic(cells: int, size: int, field: AxisReceptiveField | None = None) -> Positions:
    """The centre of the receptive field by the layer's strides, kernels and paddings.

    Half-pixel where the field is unknown or does not give this number of cells.
    """
    if field is None or field.cells(size) != cells:
        return half_pixel(cells, size)
    return field.centres(cells)


def measured(cells: int, size: int, field: AxisReceptiveField | None = None) -> Positions:
    """By arithmetic, shifted by the mean measured offset of the cells' gradients, if there is one.

    Only the mean over the cells is taken from the measurement: where receptive fields overlap
    widely, measured centres lie closer together than what the cells respond to.
    """
    centres = arithmetic(cells, size, field)
    if field is None or len(field.measured) != cells:
        return centres
    # A cell is never moved beyond its receptive field: frames scored one by one stay apart.
    most = (field.length() - 1) / 2
    return centres + float(np.clip(np.mean(np.array(field.measured) - centres), -most, most))


# In time, then in space. docs: "Alignment" has the measurements behind the default.
ALIGNMENTS: dict[str, tuple[Alignment, Alignment]] = {
    "receptive-field": (arithmetic, half_pixel),
    "probe": (measured, measured),
    "half-pixel": (half_pixel, half_pixel),
    "corners": (corners, corners),
    "nearest": (half_pixel, half_pixel),
}
NEAREST = ("nearest",)


def needs_measuring(align: str) -> bool:
    """Whether an alignment runs the network, by ``measured_alignment.measure``."""
    return measured in ALIGNMENTS[align]


def cell_centres(
    grid: Sequence[int],
    input_size: Sequence[int],
    fields: Sequence[AxisReceptiveField | None],
    align: str,
) -> CellCentres:
    """Centres of a (T', H', W') grid on a (T, H, W) input; ``align`` is a key of ALIGNMENTS."""
    in_time, in_space = ALIGNMENTS[align]
    alignments = (in_time, in_space, in_space)
    t, y, x = (
        align_axis(cells, size, field)
        for align_axis, cells, size, field in zip(alignments, grid, input_size, fields, strict=True)
    )
    return CellCentres(t, y, x, align in NEAREST)


def interpolation_matrix(
    centres: Positions, positions: Positions, nearest: bool = False
) -> np.ndarray:
    """Interpolation as a matrix (len(positions), len(centres)); rows sum to 1."""
    cells = len(centres)
    identity = np.eye(cells)
    if nearest:
        # Halfway between two centres the later one counts, as in torch's "nearest".
        limits = (centres[1:] + centres[:-1]) / 2
        return identity[np.searchsorted(limits, positions, side="right")].astype(np.float32)
    columns = [np.interp(positions, centres, identity[cell]) for cell in range(cells)]
    return np.stack(columns, axis=1).astype(np.float32)


def gather_onto(values: Tensor, centres: CellCentres, input_size: Sequence[int]) -> Tensor:
    """Maps on the input's grid (N, T, H, W) -> means around the cells, (N, T', H', W').

    A cell's mean is weighted as interpolation from the cells would weight the cell.
    """
    for axis, (cells, length) in enumerate(
        zip((centres.t, centres.y, centres.x), input_size, strict=True), start=1
    ):
        positions = grid_positions(length, length)
        matrix = torch.from_numpy(interpolation_matrix(cells, positions, centres.nearest))
        weights = (matrix / matrix.sum(0).clamp(min=1e-12)).to(values)
        values = torch.tensordot(values, weights, dims=([axis], [0])).movedim(-1, axis)
    return values


def grid_positions(size: int, input_size: int) -> Positions:
    """Where ``size`` samples of equal width lie along an axis of ``input_size`` pixels."""
    return (np.arange(size) + 0.5) * (input_size / size) - 0.5


def interpolate(
    values: Tensor, centres: CellCentres, input_size: Sequence[int], size: Sequence[int]
) -> Tensor:
    """Signed maps (N, T', H', W') -> signed (N, T, H, W) of ``size``, on the input's own extent."""
    for axis, (cells, extent, length) in enumerate(
        zip((centres.t, centres.y, centres.x), input_size, size, strict=True), start=1
    ):
        positions = grid_positions(length, extent)
        matrix = torch.from_numpy(interpolation_matrix(cells, positions, centres.nearest))
        values = torch.tensordot(values, matrix.to(values), dims=([axis], [1])).movedim(-1, axis)
    return values
