"""Which layers of a network are mapped, and how their outputs are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from video_cam.choice_names import ATTENTION_METHOD_NAMES, take_blocks
from video_cam.config import ExplainConfig
from video_cam.layers.alignment import CellCentres, cell_centres
from video_cam.layers.attention_structure import find_attention
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.layout import Fold
from video_cam.layers.measured_alignment import drawn_input
from video_cam.layers.receptive_field import ReceptiveFields
from video_cam.models.classifier import Classifier


@dataclass(frozen=True)
class NetworkPlan:
    """How the outputs of the mapped layers are read; needed where the network is.

    Attributes:
        layers: names of the mapped layers.
        finer: layer -> the finer layers that its maps are combined with.
        folds: layer -> how its output becomes (N, K, T', H', W'); also of the finer layers.
        fields: layer -> receptive fields of its cells; also of the finer layers.
        centres: layer -> positions of its cells; also of the finer layers.
        blocks: names of modules whose attention is followed; empty for all of it.
    """

    layers: tuple[str, ...]
    finer: dict[str, tuple[str, ...]]
    folds: dict[str, Fold]
    fields: dict[str, ReceptiveFields]
    centres: dict[str, CellCentres]
    blocks: tuple[str, ...]

    @property
    def captured(self) -> tuple[str, ...]:
        """The mapped layers and the finer ones."""
        return tuple(self.folds)


def plan_network(
    model: Classifier,
    size: Sequence[int],
    layers: Sequence[str | int] | None,
    config: ExplainConfig,
) -> NetworkPlan:
    """Choose layers for inputs of (T, H, W), and find the receptive fields of their cells.

    What is measured for that is measured once per network, layers and size. Without methods of
    layers there is nothing to find.

    Args:
        layers: names, patterns or positions; None for the network's own, and those that
            ``config.conv_backcount`` names.
    """
    blocks = _blocks(model, size, config)
    if not config.layer_methods:
        return NetworkPlan((), {}, {}, {}, {}, blocks)
    chosen = model.layers(size, layers, config.conv_backcount)
    finer: dict[str, tuple[str, ...]] = {}
    folds = chosen.folds
    if config.attribution().makes_finer:
        finer, more = model.finer_layers(size, chosen.names)
        folds = {**more, **folds}
    names = tuple(folds)
    fields = find_receptive_fields(
        model.module, torch.empty(1, 3, *size), names, folds, config.align, model.identity
    )
    centres = {
        name: _centres(model, folds[name], fields[name], size, config.align) for name in names
    }
    return NetworkPlan(chosen.names, finer, folds, fields, centres, blocks)


def _blocks(model: Classifier, size: Sequence[int], config: ExplainConfig) -> tuple[str, ...]:
    """The modules whose attention is followed; empty for all of it.

    Raises:
        UsageError: where attention methods do not go with the network, or with these modules.
    """
    if not any(name in ATTENTION_METHOD_NAMES for name in config.methods):
        return ()
    clip = drawn_input(0, size).to(model.device, model.dtype)
    blocks = tuple(map(str, config.layers or ())) if take_blocks(config.methods) else ()
    find_attention(model.module, clip).within(blocks)
    return blocks


def _centres(
    model: Classifier, fold: Fold, fields: ReceptiveFields, size: Sequence[int], align: str
) -> CellCentres:
    centres = cell_centres(fold.grid, size, fields, align)
    # The cells of a slow pathway are at its frames, which are some of the fast pathway's frames.
    frames = model.input_layout.frames_of(len(centres.t), size[0])
    return centres if frames is None else replace(centres, t=frames.numpy().astype(np.float64))
