"""Everything about a clip's explanation that is fixed before the network runs on its frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch

from video_cam.attribution.input_methods import input_map_keys
from video_cam.attribution.refinement import refined_centres
from video_cam.choice_names import ATTENTION_METHOD_NAMES, INPUT_METHOD_NAMES, take_blocks
from video_cam.config import ExplainConfig
from video_cam.errors import UsageError
from video_cam.explanation.batch_size import fitting_batch
from video_cam.explanation.contributions import head_biases
from video_cam.explanation.map_series import MapKey, ModelInfo
from video_cam.explanation.own_method import check_scores_only
from video_cam.explanation.rates import lapse_rate, rate_note
from video_cam.explanation.sampling import FrameSpan, Window, span_of
from video_cam.explanation.scenes import split_scenes
from video_cam.explanation.window_reader import plan_windows
from video_cam.layers.alignment import CellCentres, cell_centres, guess_note, is_a_guess
from video_cam.layers.attention_structure import find_attention
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.finer_layers import no_finer_layer
from video_cam.layers.layout import Fold
from video_cam.layers.measured_alignment import drawn_input
from video_cam.layers.receptive_field import ReceptiveFields
from video_cam.models.classifier import Classifier
from video_cam.models.labels import class_id
from video_cam.models.preprocessing import Geometry
from video_cam.utils.threads import prefetch
from video_cam.video.clip import Clip

FRAMES_AHEAD = 8  # decoded while the scene detector runs


@dataclass(frozen=True)
class ClipPlan:
    """The plan of one clip: kilobytes, without the network, for any process.

    Attributes:
        clip: header and time stamps; opens the file when frames are read.
        model: what the results say about the network.
        model_note: what the results say about how the network was loaded; often empty.
        labels: class names.
        class_ids: ids of the classes that the user named.
        geometry: where the network's input lies in the source frames.
        span: the frames that are explained.
        scenes: the parts of the span that no window runs across.
        windows: the network's inputs, in order of time.
        map_keys: (layer, method) of a window's maps, in their order.
        input_size: (T, H, W) of one window.
        centres: (layer, method) -> positions of the cells of these maps; without maps of the whole
            input, whose positions are in the window results.
        layer_centres: layer -> positions of its own cells.
        refined: (layer, method) of the maps with other cells than their layer.
        head_biases: float64 (classes,) of the network's linear head, None without one.
        batch_size: windows in one forward pass.
        batch_note: why these are fewer than asked for, where memory is the reason.
        rate_note: what the results say about the clip's frame rate; often empty.
        detail_note: which maps have no more detail than their layer, and why; often empty.
    """

    clip: Clip
    model: ModelInfo
    model_note: str
    labels: tuple[str, ...]
    class_ids: tuple[int, ...]
    geometry: Geometry
    span: FrameSpan
    scenes: tuple[FrameSpan, ...]
    windows: tuple[Window, ...]
    map_keys: tuple[MapKey, ...]
    input_size: tuple[int, int, int]
    centres: dict[MapKey, CellCentres]
    layer_centres: dict[str, CellCentres]
    refined: frozenset[MapKey]
    head_biases: np.ndarray | None
    batch_size: int
    batch_note: str | None = None
    rate_note: str = ""
    detail_note: str = ""


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
    if config.attribution().detail != "none":
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


def plan_clip(clip: Clip, model: Classifier, config: ExplainConfig) -> ClipPlan:
    """Choose span, scenes, windows and layers, and find the positions of the layers' cells.

    Frames are read only to split scenes.

    Raises:
        UsageError: for wrong layers, classes or times.
        ClipError: where scenes cannot be read, or where a window does not fit into memory.
    """
    check_scores_only(model, config)
    if not model.labels and (config.class_ids or config.worst or not config.targets):
        raise UsageError(
            "no class scores were found in the network's output: only functions of it can be "
            "explained, with --target file.py:function (in Python targets=[function])"
        )
    if config.contrast and len(model.labels) < 2:
        raise UsageError("contrast compares two classes, and the network has one: leave it out")
    if config.aug_smooth and model.preprocess.flow:
        raise UsageError(
            "aug_smooth flips the input, and flipped flow shows motion that is not there: leave it "
            "out"
        )
    if model.framewise and clip.info.is_numbered_images:
        # Every picture of a folder is explained, whatever the network's own frame rate.
        model = replace(model, frame_rate=clip.info.frame_rate)
    class_ids = tuple(class_id(one, model.labels) for one in config.class_ids)
    span = span_of(clip.timeline, config.start, config.end)
    scenes = _scenes(clip, span) if config.split_scenes else (span,)
    windows = plan_windows(clip.timeline, scenes, model, config)
    rate = config.frame_rate or lapse_rate(clip.timeline, span, model.frame_rate, config)
    size = (len(windows[0].frame_indices), *model.preprocess.crop)
    network = plan_network(model, size, config.layers, config)
    detail = config.attribution().detail
    to_input = detail == "input" and bool(network.layers)
    batch_size, batch_note = fitting_batch(
        clip, model, network.captured, size, config.batch_size, to_input
    )
    of_layers = [(layer, name) for layer in network.layers for name in config.layer_methods]
    centres = {layer: _map_centres(network, layer, detail, size) for layer in network.layers}
    refined = (
        network.layers if detail == "input" else [x for x in network.layers if network.finer.get(x)]
    )
    return ClipPlan(
        clip=clip,
        model=_model_info(model, network, size[0], rate or model.frame_rate),
        model_note="; ".join(filter(None, _notes(model, network, size, config.align))),
        labels=model.labels,
        class_ids=class_ids,
        geometry=model.preprocess.geometry(clip.info.height, clip.info.width),
        span=span,
        scenes=scenes,
        windows=tuple(windows),
        map_keys=(*of_layers, *input_map_keys(config.input_methods)),
        input_size=size,
        centres={key: centres[key[0]] for key in of_layers},
        layer_centres={layer: network.centres[layer] for layer in network.layers},
        refined=frozenset(key for key in of_layers if key[0] in refined),
        head_biases=head_biases(model.module, len(model.labels)),
        batch_size=batch_size,
        batch_note=batch_note,
        rate_note=rate_note(clip.timeline, span, model.frame_rate, config),
        detail_note=_detail_note(network, config),
    )


def _map_centres(network: NetworkPlan, layer: str, detail: str, size: Sequence[int]) -> CellCentres:
    """The positions of the cells of a layer's maps, which detail makes finer than its own."""
    finer = [network.centres[name] for name in network.finer.get(layer, ())]
    return refined_centres(detail, network.centres[layer], finer, size)


def _notes(
    model: Classifier, network: NetworkPlan, size: Sequence[int], align: str
) -> Iterator[str]:
    """What is to be known about the network and the positions of its cells."""
    yield model.note
    yield _bypass_note(model, network)
    for layer, fold in network.folds.items():
        cells = fold.grid[0]
        # Tokens are patches, which do lie evenly.
        is_even = fold.axes == "tokens" or model.input_layout.frames_of(cells, size[0]) is not None
        if not is_even and is_a_guess(cells, size[0], network.fields[layer][0], align):
            yield guess_note(layer, align)


def _bypass_note(model: Classifier, network: NetworkPlan) -> str:
    """What the maps of the default layer do not show, where part of the gradient goes round it."""
    if not model.bypass or model.layer not in network.layers:
        return ""
    return (
        f"{model.bypass:.2f} of the gradient goes round layer {model.layer}, through a connection "
        "beside it, and its maps do not show that part: --layer names another layer"
    )


def _detail_note(network: NetworkPlan, config: ExplainConfig) -> str:
    """Which maps have no more detail than their layer, though the config asks for it."""
    if config.contrast and config.detail != "none" and network.layers:
        return (
            "contrast subtracts maps of two classes, which needs maps as fine as their layer: "
            "detail is none"
        )
    if config.detail == "input":
        coarse = [name for name in config.methods if name in INPUT_METHOD_NAMES]
        return _only_of_layers(coarse) if coarse else ""
    if config.detail != "layers":
        return ""
    return "; ".join(no_finer_layer(one) for one in network.layers if not network.finer[one])


def _only_of_layers(methods: Sequence[str]) -> str:
    return f"detail input is for maps of layers: those of {', '.join(methods)} are without it"


def _model_info(
    model: Classifier, network: NetworkPlan, num_frames: int, frame_rate: Fraction
) -> ModelInfo:
    return ModelInfo(
        name=model.name,
        weights=model.weights,
        layers=network.layers,
        num_frames=num_frames,
        frame_rate=frame_rate,
        trained=model.trained,
        score=model.score,
        shares=model.reading is not None and model.reading.scores_places,
    )


def _scenes(clip: Clip, span: FrameSpan) -> tuple[FrameSpan, ...]:
    with clip.frames(span.first, span.stop) as reader, prefetch(reader, FRAMES_AHEAD) as frames:
        return tuple(split_scenes(frames, span, clip.info.frame_rate))


def _centres(
    model: Classifier, fold: Fold, fields: ReceptiveFields, size: Sequence[int], align: str
) -> CellCentres:
    centres = cell_centres(fold.grid, size, fields, align)
    # The cells of a slow pathway are at its frames, which are some of the fast pathway's frames.
    frames = model.input_layout.frames_of(len(centres.t), size[0])
    return centres if frames is None else replace(centres, t=frames.numpy().astype(np.float64))
