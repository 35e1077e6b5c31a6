"""What a method without a layer returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from video_cam.layers.alignment import CellCentres


@dataclass(frozen=True)
class InputMaps:
    """The maps of one input by one method, for several targets.

    Attributes:
        values: for each target a signed map (N, T', H', W').
        centres: positions of the cells of these maps.
        notes: what readers of the maps must know, one line each.
        errors: for each target the standard error of each cell (N, T', H', W'), of methods that
            draw at random; on the CPU.
    """

    values: Sequence[Tensor]
    centres: CellCentres
    notes: tuple[str, ...] = ()
    errors: Sequence[Tensor] | None = None
