"""Alignment: the centres of a layer's cells in the input, and interpolation between them.

Positions are in input frames and pixels, counted from the centre of the first one: 0 is the centre
of frame 0, 0.5 lies between frames 0 and 1. A map is brought to another grid by linear
interpolation between the centres of its cells, one axis at a time, and is constant beyond the
outermost centres. With the alignment "nearest" each position takes the value of the nearest centre.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from video_cam.layers.receptive_field import AxisReceptiveField
from video_cam.utils.devices import sent

Positions = np.ndarray  # float64, one per cell or sample
# (number of cells, samples of the input along the axis, the cells' receptive fields) -> centres
Alignment = Callable[[int, int, "AxisReceptiveField | None"], Positions]


NEARLY = 0.8  # of the distances between cells of equal width


@dataclass(frozen=True)
class CellCentres:
    """The centres of a layer's cells.

    Attributes:
        t: float64 (T',), in input frames.
        y, x: float64 (H',) and (W',), in input pixels.
        nearest: whether a map is constant around each centre instead of linear between centres.
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
    """Cells of equal width side by side: the centre of cell i is (i + 1/2) size / cells - 1/2."""
    return (np.arange(cells) + 0.5) * (size / cells) - 0.5


def corners(cells: int, size: int, field: AxisReceptiveField | None = None) -> Positions:
    """The first and last centres on the first and last sample, as with align_corners=True."""
    return np.linspace(0, size - 1, cells) if cells > 1 else np.array([(size - 1) / 2])


def arithmetic(cells: int, size: int, field: AxisReceptiveField | None = None) -> Positions:
    """The centres of the receptive fields from strides, kernels and paddings.

    Half-pixel where the field is unknown or gives another number of cells.
    """
    if field is None or field.cells(size) != cells:
        return half_pixel(cells, size)
    return field.centres(cells)


def measured(cells: int, size: int, field: AxisReceptiveField | None = None) -> Positions:
    """The centres by arithmetic, shifted by the mean measured offset of the cells' gradients.

    Only the mean over the cells is taken from the measurement: where receptive fields overlap
    widely, measured centres lie closer together than what the cells respond to. Without a
    measurement the centres are those by arithmetic. Where arithmetic knows nothing, measured
    centres that lie about as far apart as cells of equal width are taken as they are.
    """
    centres = arithmetic(cells, size, field)
    if field is None or len(field.measured) != cells:
        return centres
    found = np.array(field.measured)
    if field.cells(size) != cells:
        alike = found.std() >= NEARLY * centres.std()
        return found if alike else centres + float(np.mean(found - centres))
    # No cell moves beyond its receptive field: cells that depend on a single frame stay there.
    limit = (field.length() - 1) / 2
    return centres + float(np.clip(np.mean(found - centres), -limit, limit))


# Name -> (alignment in time, alignment in space). docs, "Alignment", has the measurements.
ALIGNMENTS: dict[str, tuple[Alignment, Alignment]] = {
    "receptive-field": (arithmetic, half_pixel),
    "probe": (measured, measured),
    "half-pixel": (half_pixel, half_pixel),
    "corners": (corners, corners),
    "nearest": (half_pixel, half_pixel),
}
NEAREST = ("nearest",)


def needs_measuring(align: str) -> bool:
    """Whether the alignment of this name needs ``measured_alignment.measure``."""
    return measured in ALIGNMENTS[align]


def is_a_guess(cells: int, size: int, field: AxisReceptiveField | None, align: str) -> bool:
    """Whether the centres in time are those of cells of equal width for want of a better way.

    That is half-pixel alignment where ``align`` asks for arithmetic or a measurement, and there is
    neither. A single cell has its centre in the middle in any case.
    """
    in_time, _ = ALIGNMENTS[align]
    if cells == 1 or in_time not in (arithmetic, measured):
        return False
    if field is None:
        return True
    is_measured = in_time is measured and len(field.measured) == cells
    return field.cells(size) != cells and not is_measured


def guess_note(layer: str, align: str) -> str:
    """One line about centres for which ``is_a_guess`` holds."""
    instead = (
        'the alignment "probe" measures where they look'
        if align == "receptive-field"
        else "they cannot be measured for such an input, so read its times with care"
    )
    return (
        f"the strides and kernels in front of layer {layer!r} are not all known, so its cells are "
        f'spread evenly in time, as with the alignment "half-pixel"; {instead}'
    )


def cell_centres(
    grid: Sequence[int],
    input_size: Sequence[int],
    fields: Sequence[AxisReceptiveField | None],
    align: str,
) -> CellCentres:
    """The centres of a layer's cells in the input.

    Args:
        grid: (T', H', W').
        input_size: (T, H, W).
        fields: receptive fields along (T, H, W); None along an axis where unknown.
        align: a key of ALIGNMENTS.
    """
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
    """Interpolation between cells as a matrix.

    Args:
        centres: (cells,), rising.
        positions: (samples,), in the same unit.
        nearest: take the nearest cell instead of interpolating linearly.

    Returns:
        float32 (samples, cells); rows sum to 1.
    """
    cells = len(centres)
    identity = np.eye(cells)
    if nearest:
        # Halfway between two centres the later one is taken, as by torch's "nearest".
        limits = (centres[1:] + centres[:-1]) / 2
        return identity[np.searchsorted(limits, positions, side="right")].astype(np.float32)
    columns = [np.interp(positions, centres, identity[cell]) for cell in range(cells)]
    return np.stack(columns, axis=1).astype(np.float32)


def gather_onto(values: Tensor, centres: CellCentres, input_size: Sequence[int]) -> Tensor:
    """Means of maps around the cells of a layer.

    A position counts with the weight that interpolation from the cells gives the cell there.

    Args:
        values: (N, T, H, W) on the input's own grid.
        input_size: (T, H, W).

    Returns:
        (N, T', H', W').
    """
    for axis, (cells, length) in enumerate(
        zip((centres.t, centres.y, centres.x), input_size, strict=True), start=1
    ):
        positions = grid_positions(length, length)
        matrix = torch.from_numpy(interpolation_matrix(cells, positions, centres.nearest))
        weights = (matrix / matrix.sum(0).clamp(min=1e-12)).to(values.dtype)
        weights = sent(weights, values.device)
        values = torch.tensordot(values, weights, dims=([axis], [0])).movedim(-1, axis)
    return values


def grid_positions(size: int, input_size: int) -> Positions:
    """Positions of ``size`` samples of equal width along an axis of ``input_size`` samples."""
    return (np.arange(size) + 0.5) * (input_size / size) - 0.5


def interpolate(
    values: Tensor, centres: CellCentres, input_size: Sequence[int], size: Sequence[int]
) -> Tensor:
    """Signed maps on another grid over the whole input.

    Args:
        values: (N, T', H', W').
        centres: of the maps' cells.
        input_size: (T, H, W) of the input.
        size: (T, H, W) of the result.

    Returns:
        (N, T, H, W), signed, in the dtype of ``values``.
    """
    t, y, x = (
        grid_positions(length, extent) for length, extent in zip(size, input_size, strict=True)
    )
    return onto_centres(values, centres, CellCentres(t, y, x))


def onto_centres(values: Tensor, own: CellCentres, centres: CellCentres) -> Tensor:
    """Signed maps interpolated from their own cells to other centres.

    Args:
        values: (N, T', H', W').
        own: of the maps' cells.
        centres: where the values are wanted.

    Returns:
        (N, T, H, W), one value for each of ``centres``, in the dtype of ``values``.
    """
    for axis, (cells, positions) in enumerate(
        zip((own.t, own.y, own.x), (centres.t, centres.y, centres.x), strict=True), start=1
    ):
        if np.array_equal(cells, positions):
            continue
        matrix = torch.from_numpy(interpolation_matrix(cells, positions, own.nearest))
        weights = sent(matrix.to(values.dtype), values.device)
        values = torch.tensordot(values, weights, dims=([axis], [1])).movedim(-1, axis)
    return values


def finest(several: Sequence[CellCentres]) -> CellCentres:
    """Along each axis the centres with the most cells."""
    t, y, x = (max((getattr(c, axis) for c in several), key=len) for axis in "tyx")
    return CellCentres(t, y, x, several[0].nearest)
