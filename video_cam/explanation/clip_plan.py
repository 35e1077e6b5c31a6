"""Everything about a clip's explanation that is fixed before the network runs on its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from video_cam.config import ExplainConfig
from video_cam.explanation.contributions import head_biases
from video_cam.explanation.map_series import ModelInfo
from video_cam.explanation.sampling import Span, Window, span_of
from video_cam.explanation.scenes import split_scenes
from video_cam.explanation.window_reader import plan_windows
from video_cam.layers.alignment import CellCentres, cell_centres
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.layout import Fold
from video_cam.layers.receptive_field import ReceptiveFields
from video_cam.models.classifier import Classifier
from video_cam.models.labels import class_id
from video_cam.models.preprocessing import Geometry
from video_cam.utils.threads import prefetch
from video_cam.video.clip import Clip

WAITING_FRAMES = 8  # decoded ahead of the scene detector


@dataclass(frozen=True)
class ClipPlan:
    """The plan of one clip: kilobytes, without the network, for any process.

    Attributes:
        clip: as it is read, with the time stamps of its frames.
        model: what the results tell of the network.
        model_note: what a reader of the network's results has to know; often empty.
        labels: class names.
        class_ids: ids of the classes that the user named.
        geometry: how source pixels lie in the network's input.
        span: the frames that are looked at.
        scenes: the parts of the span that no window runs across.
        windows: the network's inputs, in order of time.
        slots: (layer, method) of a window's maps.
        input_size: (T, H, W) of one window.
        centres: layer -> positions of its cells.
        head_biases: (classes,) of the network's linear head, None without one.
        batch_size: windows in one forward pass.
    """

    clip: Clip
    model: ModelInfo
    model_note: str
    labels: tuple[str, ...]
    class_ids: tuple[int, ...]
    geometry: Geometry
    span: Span
    scenes: tuple[Span, ...]
    windows: tuple[Window, ...]
    slots: tuple[tuple[str, str], ...]
    input_size: tuple[int, int, int]
    centres: dict[str, CellCentres]
    head_biases: np.ndarray | None
    batch_size: int


@dataclass(frozen=True)
class NetworkPlan:
    """How the outputs of the mapped layers are read; needed where the network is.

    Attributes:
        layers: names of the mapped layers.
        folds: layer -> how its output becomes (N, K, T', H', W').
        fields: layer -> receptive fields of its cells.
    """

    layers: tuple[str, ...]
    folds: dict[str, Fold]
    fields: dict[str, ReceptiveFields]


def plan_network(
    model: Classifier,
    size: Sequence[int],
    layers: Sequence[str | int] | None,
    config: ExplainConfig,
) -> NetworkPlan:
    """Choose layers for inputs of (T, H, W), and find the receptive fields of their cells.

    What is measured for that is measured once per network, layers and size.

    Args:
        layers: names, patterns or positions; None for the network's own, and those that
            ``config.conv_backcount`` names.
    """
    chosen = model.layers(size, layers, config.conv_backcount)
    fields = find_receptive_fields(
        model.module,
        torch.empty(1, 3, *size),
        chosen.names,
        chosen.folds,
        config.align,
        model.identity,
    )
    return NetworkPlan(chosen.names, chosen.folds, fields)


def plan_clip(clip: Clip, model: Classifier, config: ExplainConfig) -> ClipPlan:
    """Choose span, scenes, windows and layers, and find the positions of the layers' cells.

    Raises:
        UsageError: for wrong layers, classes or times. ClipError: where scenes cannot be read.
    """
    if model.framewise and Path(clip.path).is_dir():
        # Of a folder of numbered pictures each one is looked at, whatever the network's rate.
        model = replace(model, frame_rate=clip.info.frame_rate)
    class_ids = tuple(class_id(one, model.labels) for one in config.class_ids)
    span = span_of(clip.timeline, config.start, config.end)
    scenes = _scenes(clip, span) if config.split_scenes else (span,)
    windows = tuple(plan_windows(clip.timeline, scenes, model, config))
    size = (len(windows[0].frame_indices), *model.preprocess.crop)
    network = plan_network(model, size, config.layers, config)
    return ClipPlan(
        clip=clip,
        model=ModelInfo(
            model.name,
            model.weights,
            network.layers,
            size[0],
            config.frame_rate or model.frame_rate,
            model.trained,
            model.score,
        ),
        model_note=model.note,
        labels=model.labels,
        class_ids=class_ids,
        geometry=model.preprocess.geometry(clip.info.height, clip.info.width),
        span=span,
        scenes=scenes,
        windows=windows,
        slots=tuple((layer, method) for layer in network.layers for method in config.methods),
        input_size=size,
        centres={
            layer: _centres(model, network, layer, size, config.align) for layer in network.layers
        },
        head_biases=head_biases(model.module, len(model.labels)),
        batch_size=model.batch(config.batch_size),
    )


def _scenes(clip: Clip, span: Span) -> tuple[Span, ...]:
    with clip.frames(span.first, span.stop) as reader, prefetch(reader, WAITING_FRAMES) as frames:
        return tuple(split_scenes(frames, span, clip.info.frame_rate))


def _centres(
    model: Classifier, network: NetworkPlan, layer: str, size: Sequence[int], align: str
) -> CellCentres:
    centres = cell_centres(network.folds[layer].grid, size, network.fields[layer], align)
    # The cells of a slow pathway lie where its frames do among those of the fast one.
    frames = model.input_layout.frames_of(len(centres.t), size[0])
    return centres if frames is None else replace(centres, t=frames.numpy().astype(np.float64))
