"""Does a cell look where the tool says? A part of the input is changed, and the cells are compared.

Random networks do not recognise anything at a place, so it is not the map that is tested but the
layer's activations: the cell that changes most has to be the one whose reported centre is at the
changed place, or one next to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from video_cam.layers.alignment import CellCentres

BRIGHTNESS = 3.0  # of an input of unit variance
PLACES = (1 / 6, 1 / 2, 5 / 6)  # of the height and of the width
TIMES = (1 / 8, 3 / 8, 5 / 8, 7 / 8)  # of the duration
PATCHES_ALONG_A_SIDE = 7
# With fewer cells along an axis, only the nearest one is right.
MIN_CELLS_FOR_NEIGHBOURS = 4

Activations = Callable[[Tensor], Tensor]  # input (1, 3, T, H, W) -> (1, K, T', H', W')


@dataclass(frozen=True)
class Answers:
    """How many changes of the input were answered by the right cell.

    Attributes:
        right: changes answered by the nearest cell or, of four or more, by one next to it.
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
    rows = []
    for y, x_of, changed in _with_patches(x):
        change = (activations(changed) - before).abs().sum((0, 1, 2))
        in_y, in_x = _near(centres.y, y), _near(centres.x, x_of)
        rows.append((change, in_y[:, None] & in_x[None, :]))
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
        rows.append((change, _near(centres.t, frame)))
    return _counted(rows)


def _with_patches(x: Tensor) -> Iterator[tuple[float, float, Tensor]]:
    """The centre (y, x) of a patch in input pixels, and the input with the patch."""
    height, width = x.shape[3:]
    tall, wide = height // PATCHES_ALONG_A_SIDE, width // PATCHES_ALONG_A_SIDE
    for y_share in PLACES:
        for x_share in PLACES:
            top, left = round(y_share * height - tall / 2), round(x_share * width - wide / 2)
            changed = x.clone()
            changed[..., top : top + tall, left : left + wide] += BRIGHTNESS
            yield top + (tall - 1) / 2, left + (wide - 1) / 2, changed


def _near(centres: np.ndarray, position: float) -> np.ndarray:
    """Which cells may answer to a change at a position."""
    nearest = int(np.argmin(np.abs(centres - position)))
    reach = 1 if len(centres) >= MIN_CELLS_FOR_NEIGHBOURS else 0
    return np.abs(np.arange(len(centres)) - nearest) <= reach


def _counted(rows: Sequence[tuple[Tensor, np.ndarray]]) -> Answers:
    """Of pairs of how much each cell changed, and which cells may change most."""
    right = sum(
        bool(near.ravel()[int(torch.argmax(change))]) and bool(change.max() > 0)
        for change, near in rows
    )
    return Answers(right, len(rows), float(sum(near.mean() for _, near in rows)))
