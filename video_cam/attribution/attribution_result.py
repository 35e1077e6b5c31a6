"""What an ``Attributor`` finds for one input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from video_cam.attribution.input_maps import Sampling
from video_cam.attribution.targets import Target
from video_cam.layers.alignment import CellCentres


@dataclass(frozen=True)
class AttributionResult:
    """The scores and maps of one input.

    Attributes:
        outputs: the network's outputs, detached.
        targets: the targets, with the best class ids in place of None.
        scores: for each target float32 (N,), the target's scores.
        class_ids: for each target int64 (N,), or None for a function.
        maps: (index of the target, layer, method) -> signed float32 (N, T', H', W'), in this order;
            of methods without a layer, behind those of layers, with the name in their row of
            ``input_methods.INPUT_METHODS``.
        centres: (layer, method) -> positions of the cells of the maps.
        layer_maps: as ``maps``, on the layers' own grids; where no detail is added, these are the
            maps themselves. Without those of no layer.
        sampling: of the maps that are drawn at random, by the keys of ``maps``; of several
            augmented inputs that of the first one.
        notes: what could not be done, one line each.
    """

    outputs: Any
    targets: tuple[Target, ...]
    scores: tuple[Tensor, ...]
    class_ids: tuple[Tensor | None, ...]
    maps: dict[tuple[int, str, str], Tensor]
    centres: dict[tuple[str, str], CellCentres]
    layer_maps: dict[tuple[int, str, str], Tensor]
    sampling: dict[tuple[int, str, str], Sampling]
    notes: tuple[str, ...] = ()
