"""What a method without a layer returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from video_cam.layers.alignment import CellCentres


@dataclass(frozen=True)
class Sampling:
    """How the map of one target was drawn at random.

    Attributes:
        masks: how many random masks were scored, for each of N samples.
        errors: float32 (N, T', H', W'), the standard error of each cell, on the CPU.
    """

    masks: tuple[int, ...]
    errors: Tensor


@dataclass(frozen=True)
class InputMaps:
    """The maps of one input by one method, for several targets.

    Attributes:
        values: for each target a signed map (N, T', H', W').
        centres: positions of the cells of these maps.
        notes: what readers of the maps must know, one line each.
        sampling: for each target; None for methods that draw nothing at random.
    """

    values: Sequence[Tensor]
    centres: CellCentres
    notes: tuple[str, ...] = ()
    sampling: Sequence[Sampling] | None = None
