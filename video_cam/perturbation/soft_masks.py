"""Random smooth masks over space and time: a coarse grid of kept and removed cells, interpolated.

As in Petsiuk et al. 2018 ("RISE: Randomized Input Sampling for Explanation of Black-box Models",
section 3.2), there for images: each cell of a coarse grid is kept with probability KEPT, the grid
is enlarged by linear interpolation, and shifted by a random part of a cell. So at each position
the mean of the masks is KEPT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from video_cam.utils.devices import sent

KEPT = 0.5  # the probability that a cell is kept


@dataclass(frozen=True, eq=False)
class SoftMask:
    """One mask, of clips of any size.

    Attributes:
        nodes: float32, 1 where a node of the coarse grid is kept, else 0.
        shift: in cells, along (T, H, W).
        size: (T, H, W) of the input; along an axis with one node for each sample there is neither
            shift nor interpolation.
        cells: of the coarse grid over the input, (T, H, W).
    """

    nodes: Tensor
    shift: tuple[float, float, float]
    size: tuple[int, int, int]
    cells: tuple[int, int, int]

    def over(self, size: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """The mask at the centres of a grid over the clip.

        Args:
            size: of the grid, (T, H, W); the clip's own for a value for each frame and pixel.
            device: where it is wanted.

        Returns:
            float32 (T, H, W) in [0, 1].
        """
        values = sent(self.nodes, device)
        for axis, count in enumerate(size):
            weights = sent(self._weights(axis, count), device)
            values = torch.tensordot(values, weights, dims=([0], [1]))
        return values

    def blended(self, clip: Tensor, fill: Tensor) -> Tensor:
        """A clip (C, T, H, W) where the mask keeps it, and another one where it does not."""
        mask = self.over(clip.shape[1:], clip.device).to(clip.dtype)
        return fill + mask * (clip - fill)

    def _weights(self, axis: int, count: int) -> Tensor:
        """(count, nodes): linear interpolation between the nodes; rows sum to 1."""
        cells, nodes = self.cells[axis], self.nodes.shape[axis]
        position = (np.arange(count) + 0.5) * (cells / count)
        is_whole = cells == self.size[axis]
        position = np.floor(position) if is_whole else position + self.shift[axis]
        distances = np.abs(position[:, None] - np.arange(nodes))
        return torch.from_numpy(np.maximum(1 - distances, 0).astype(np.float32))


class MaskDrawing:
    """Draws masks one after the other, the same ones for the same seed."""

    def __init__(self, cells: Sequence[int], size: Sequence[int], seed: int) -> None:
        """Bind a coarse grid.

        Args:
            cells: of the coarse grid over the input, (T, H, W); fewer where the input has fewer
                frames or pixels.
            size: (T, H, W) of the input.
            seed: of a generator of its own.
        """
        t, y, x = (min(count, length) for count, length in zip(cells, size, strict=True))
        self.cells, self._size = (t, y, x), (size[0], size[1], size[2])
        self._nodes = [
            count if count == length else count + 2
            for count, length in zip(self.cells, size, strict=True)
        ]
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, count: int) -> list[SoftMask]:
        """The next masks."""
        return [self._one() for _ in range(count)]

    def _one(self) -> SoftMask:
        nodes = (torch.rand(self._nodes, generator=self._generator) < KEPT).float()
        t, y, x = torch.rand(3, generator=self._generator, dtype=torch.float64).tolist()
        return SoftMask(nodes, (t, y, x), self._size, self.cells)
