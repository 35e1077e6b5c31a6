"""Boxes of neighbouring cells in space and time, and means over the boxes that cover a cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from video_cam.utils.devices import sent


@dataclass(frozen=True)
class BoxGrid:
    """All boxes of one size on a grid of cells of (nearly) equal size.

    Attributes:
        cells: of the grid, (T', H', W').
        box: cells in a box, (T, H, W); the boxes begin at every cell where one fits.
    """

    cells: tuple[int, int, int]
    box: tuple[int, int, int]

    @classmethod
    def fitting(cls, cells: Sequence[int], box: Sequence[int], size: Sequence[int]) -> BoxGrid:
        """A grid with at most this many cells, for a clip of ``size`` (T, H, W).

        No cell is smaller than a frame or pixel, and no box larger than the grid without one cell.
        """
        t, y, x = (min(count, length) for count, length in zip(cells, size, strict=True))
        box_t, box_y, box_x = (
            max(min(wanted, count - 1), 1) for wanted, count in zip(box, (t, y, x), strict=True)
        )
        return cls((t, y, x), (box_t, box_y, box_x))

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many boxes there are along each axis."""
        t, y, x = (count - own + 1 for count, own in zip(self.cells, self.box, strict=True))
        return t, y, x

    @property
    def num_boxes(self) -> int:
        """How many boxes there are."""
        return math.prod(self.shape)

    def boxes(self) -> list[Box]:
        """The boxes, in order: the last axis runs fastest."""
        t, y, x = self.shape
        return [Box(self, first) for first in product(range(t), range(y), range(x))]

    def means_of_cells(self, values: Tensor) -> Tensor:
        """For each cell the mean over the boxes that cover it.

        Args:
            values: (N, boxes), in the order of ``boxes``.

        Returns:
            (N, T', H', W').
        """
        values = values.reshape(-1, *self.shape)
        for axis, (count, own) in enumerate(zip(self.cells, self.box, strict=True), start=1):
            covers = torch.tensor(
                [
                    [begin <= cell < begin + own for begin in range(count - own + 1)]
                    for cell in range(count)
                ]
            ).to(values.dtype)
            means = sent(covers / covers.sum(1, keepdim=True), values.device)
            values = torch.tensordot(values, means, dims=([axis], [1])).movedim(-1, axis)
        return values


@dataclass(frozen=True)
class Box:
    """One box, of clips of any size.

    Attributes:
        grid: that it belongs to.
        first: its first cell, (T, H, W).
    """

    grid: BoxGrid
    first: tuple[int, int, int]

    def filled(self, clip: Tensor, fill: Tensor) -> Tensor:
        """A copy of a clip (C, T, H, W) with the box taken from another one."""
        places = [slice(None)]
        for first, own, count, length in zip(
            self.first, self.grid.box, self.grid.cells, clip.shape[1:], strict=True
        ):
            places.append(slice(first * length // count, (first + own) * length // count))
        result = clip.clone()
        result[tuple(places)] = fill[tuple(places)]
        return result
