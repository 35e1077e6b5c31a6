"""Does a cell look where the tool says? A part of the input is changed, and the cells are compared.

Random networks do not recognise anything at a place, so it is not the map that is tested but the
layer's activations: the reported centres of the cells that change most have to lie around the
changed place. Their mean is taken, because a change may saturate several neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from video_cam.layers.alignment import CellCentres

BRIGHTNESS = 3.0  # of an input of unit variance
PLACES = (1 / 6, 1 / 2, 5 / 6)  # of the height and of the width
TIMES = (1 / 8, 3 / 8, 5 / 8, 7 / 8)  # of the duration
PATCHES_ALONG_A_SIDE = 7
ANSWERING = 0.5  # cells count that change more than this share of the largest change
# With fewer cells along an axis, one cell's width would hold half of the input.
MIN_CELLS_FOR_A_WIDTH = 4

Activations = Callable[[Tensor], Tensor]  # input (1, 3, T, H, W) -> (1, K, T', H', W')


@dataclass(frozen=True)
class Answers:
    """How many changes of the input were answered by the right cell.

    Attributes:
        right: changes whose answering cells lie around the right place: along each axis at most
            one cell's width away, and half of it where there are fewer than four cells.
        total: changes made.
        chance: how many a cell drawn at random would answer right.
    """

    right: int
    total: int
    chance: float

    def __str__(self) -> str:
        return f"{self.right} of {self.total} ({self.chance:.1f} by chance)"


def answers_in_space(activations: Activations, x: Tensor, centres: CellCentres) -> Answers | None:
    """A bright patch at nine places, in all frames. None for a layer with a single cell."""
    if len(centres.y) * len(centres.x) == 1:
        return None
    before = activations(x)
    axes = ((centres.y, x.shape[3]), (centres.x, x.shape[4]))
    rows = []
    for place, changed in _with_patches(x):
        change = (activations(changed) - before).abs().sum((0, 1, 2))
        rows.append(_answer(change, axes, place))
    return _counted(rows)


def answers_in_time(activations: Activations, x: Tensor, centres: CellCentres) -> Answers | None:
    """A flash of noise at four times. None for a layer with a single cell in time."""
    if len(centres.t) == 1:
        return None
    before = activations(x)
    # Not one colour: all cells of deep networks with random weights answer to brightness alike.
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(2)).to(x)
    rows = []
    for share in TIMES:
        frame = int(share * x.shape[2])
        changed = x.clone()
        changed[:, :, frame] = BRIGHTNESS * noise[:, :, frame]
        change = (activations(changed) - before).abs().sum((0, 1, 3, 4))
        rows.append(_answer(change, ((centres.t, x.shape[2]),), (frame,)))
    return _counted(rows)


def _with_patches(x: Tensor) -> Iterator[tuple[tuple[float, float], Tensor]]:
    """The centre (y, x) of a patch in input pixels, and the input with the patch."""
    height, width = x.shape[3:]
    tall, wide = height // PATCHES_ALONG_A_SIDE, width // PATCHES_ALONG_A_SIDE
    for y_share, x_share in product(PLACES, PLACES):
        top, left = round(y_share * height - tall / 2), round(x_share * width - wide / 2)
        changed = x.clone()
        changed[..., top : top + tall, left : left + wide] += BRIGHTNESS
        yield (top + (tall - 1) / 2, left + (wide - 1) / 2), changed


def _answer(
    change: Tensor, axes: Sequence[tuple[np.ndarray, int]], place: Sequence[float]
) -> tuple[bool, float]:
    """Whether a change was answered at its place, and the share of cells that lie there.

    Args:
        change: of each cell, one dimension for each axis.
        axes: the cells' centres and the length of the input, along each axis.
        place: the position of the change along each axis.
    """
    right, chance = bool(change.max() > 0), 1.0
    weights = torch.where(change >= ANSWERING * change.max(), change + 1e-30, 0)
    for axis, ((centres, length), position) in enumerate(zip(axes, place, strict=True)):
        width = length / len(centres)
        reach = (width if len(centres) >= MIN_CELLS_FOR_A_WIDTH else width / 2) + 1e-6
        # No cell's centre lies beyond the outermost ones.
        position = float(np.clip(position, centres.min(), centres.max()))
        others = [other for other in range(change.ndim) if other != axis]
        along = (weights.sum(others) if others else weights).numpy()
        right = right and abs(float(np.average(centres, weights=along)) - position) <= reach
        chance *= float(np.mean(np.abs(centres - position) <= reach))
    return right, chance


def _counted(rows: Sequence[tuple[bool, float]]) -> Answers:
    return Answers(sum(right for right, _ in rows), len(rows), sum(chance for _, chance in rows))
