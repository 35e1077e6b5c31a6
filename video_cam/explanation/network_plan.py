"""Which layers of a network are mapped, and how their outputs are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from video_cam.choice_names import ATTENTION_METHOD_NAMES, take_blocks
from video_cam.config import ExplainConfig
from video_cam.layers.alignment import CellCentres, cell_centres
from video_cam.layers.attention_structure import find_attention
from video_cam.layers.cache import remembered
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

    It is found once per network, layers and size. Without methods of layers there is nothing to
    find.

    Args:
        layers: names, patterns or positions; None for the network's own, and those that
            ``config.conv_backcount`` names.

    Raises:
        UsageError: for wrong layers, and where attention methods do not go with the network, or
            with the modules that are named.
    """
    wanted = _Wanted(
        tuple(size),
        None if layers is None else tuple(layers),
        config.conv_backcount,
        bool(config.layer_methods),
        config.attribution().makes_finer,
        config.align,
        _followed(config),
    )
    known = (model.name, model.code, model.known, model.layer, model.when, model.space_first)
    key = (*known, model.input_layout, str(model.device), wanted)
    find = partial(_find, model, wanted)
    return remembered("network plan", model.module, key, find, uses_weights=True)


@dataclass(frozen=True)
class _Wanted:
    """What of the options a plan depends on.

    Attributes:
        size: (T, H, W) of the input.
        layers: as in ``plan_network``.
        conv_backcount, align: as in ExplainConfig.
        has_layers: whether maps of layers are wanted.
        makes_finer: whether some of them are to be finer than their layer.
        blocks: names of modules whose attention is followed; empty for all of it, None for none.
    """

    size: tuple[int, ...]
    layers: tuple[str | int, ...] | None
    conv_backcount: tuple[int, ...]
    has_layers: bool
    makes_finer: bool
    align: str
    blocks: tuple[str, ...] | None


def _followed(config: ExplainConfig) -> tuple[str, ...] | None:
    """The modules whose attention is followed; empty for all of it, None for none."""
    if not any(name in ATTENTION_METHOD_NAMES for name in config.methods):
        return None
    return tuple(map(str, config.layers or ())) if take_blocks(config.methods) else ()


def _find(model: Classifier, wanted: _Wanted) -> NetworkPlan:
    size = wanted.size
    if wanted.blocks is not None:
        clip = drawn_input(0, size).to(model.device, model.dtype)
        find_attention(model.module, clip).within(wanted.blocks)
    blocks = wanted.blocks or ()
    if not wanted.has_layers:
        return NetworkPlan((), {}, {}, {}, {}, blocks)
    chosen = model.layers(size, wanted.layers, wanted.conv_backcount)
    finer: dict[str, tuple[str, ...]] = {}
    folds = chosen.folds
    if wanted.makes_finer:
        finer, more = model.finer_layers(size, chosen.names)
        folds = {**more, **folds}
    names = tuple(folds)
    fields = find_receptive_fields(
        model.module, torch.empty(1, 3, *size), names, folds, wanted.align, model.identity
    )
    centres = {
        name: _centres(model, folds[name], fields[name], size, wanted.align) for name in names
    }
    return NetworkPlan(chosen.names, finer, folds, fields, centres, blocks)


def _centres(
    model: Classifier, fold: Fold, fields: ReceptiveFields, size: Sequence[int], align: str
) -> CellCentres:
    centres = cell_centres(fold.grid, size, fields, align)
    # The cells of a slow pathway are at its frames, which are some of the fast pathway's frames.
    frames = model.input_layout.frames_of(len(centres.t), size[0])
    return centres if frames is None else replace(centres, t=frames.numpy().astype(np.float64))
