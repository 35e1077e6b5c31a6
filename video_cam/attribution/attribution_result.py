"""What an ``Attributor`` finds for one input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from video_cam.attribution.input_maps import Sampling
from video_cam.attribution.targets import Target
from video_cam.layers.alignment import CellCentres

MapKey = tuple[str, str, str]  # layer, method, detail
TargetMapKey = tuple[int, str, str, str]  # index of the target, layer, method, detail


@dataclass(frozen=True)
class AttributionResult:
    """The scores and maps of one input.

    Attributes:
        outputs: the network's outputs, detached.
        targets: the targets, with the best class ids in place of None.
        scores: for each target float32 (N,), the target's scores.
        class_ids: for each target int64 (N,), or None for a function.
        maps: (index of the target, layer, method, detail) -> signed float32 (N, T', H', W'), in
            this order; of methods without a layer, behind those of layers, with the name in their
            row of ``input_methods.INPUT_METHODS``.
        centres: (layer, method, detail) -> positions of the cells of the maps.
        layer_maps: (index of the target, layer, method) -> the map on the layer's own grid, which
            is that of detail "none". Without those of no layer.
        sampling: of the maps that are drawn at random, by the keys of ``maps``; of several
            augmented inputs that of the first one.
        notes: what could not be done, one line each.
    """

    outputs: Any
    targets: tuple[Target, ...]
    scores: tuple[Tensor, ...]
    class_ids: tuple[Tensor | None, ...]
    maps: dict[TargetMapKey, Tensor]
    centres: dict[MapKey, CellCentres]
    layer_maps: dict[tuple[int, str, str], Tensor]
    sampling: dict[TargetMapKey, Sampling]
    notes: tuple[str, ...] = ()
