"""Everything about a clip's explanation that is fixed before the network runs on its frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from video_cam.attribution.attribution_result import MapKey
from video_cam.attribution.input_methods import input_map_keys
from video_cam.config import ExplainConfig
from video_cam.errors import UsageError
from video_cam.explanation.batch_size import fitting_batch
from video_cam.explanation.contributions import head_biases
from video_cam.explanation.map_keys import detail_note, layer_map_keys, makes_finer, map_centres
from video_cam.explanation.map_series import ModelInfo
from video_cam.explanation.network_plan import NetworkPlan, plan_network
from video_cam.explanation.own_method import check_scores_only
from video_cam.explanation.rates import lapse_rate, rate_note
from video_cam.explanation.sampling import FrameSpan, Window, span_of
from video_cam.explanation.scenes import scenes_of
from video_cam.explanation.window_reader import at_rate_of, plan_windows
from video_cam.layers.alignment import CellCentres, guess_note, is_a_guess
from video_cam.models.classifier import Classifier
from video_cam.models.labels import class_id
from video_cam.models.preprocessing import Geometry
from video_cam.utils.notes import WARNING, Note
from video_cam.video.clip import Clip
from video_cam.video.source_files import source_digest


@dataclass(frozen=True)
class ClipPlan:
    """The plan of one clip: kilobytes, without the network, for any process.

    Attributes:
        clip: header and time stamps; opens the file when frames are read.
        source_digest: of the clip's content, before a frame of it is explained.
        model: what the results say about the network.
        model_notes: what the results say about how the network was loaded.
        labels: class names.
        class_ids: ids of the classes that the user named.
        geometry: where the network's input lies in the source frames.
        span: the frames that are explained.
        scenes: the parts of the span that no window runs across.
        windows: the network's inputs, in order of time.
        map_keys: (layer, method, detail) of a window's maps, in their order.
        input_size: (T, H, W) of one window.
        centres: (layer, method, detail) -> positions of the cells of these maps; without maps of
            the whole input, whose positions are in the window results.
        layer_centres: layer -> positions of its own cells.
        refined: (layer, method, detail) of the maps with other cells than their layer.
        head_biases: float64 (classes,) of the network's linear head, None without one.
        batch_size: windows in one forward pass.
        batch_note: why these are fewer than asked for, where memory is the reason.
        rate_note: what the results say about the clip's frame rate; often empty.
        detail_note: which maps have no more detail than their layer, and why; often empty.
    """

    clip: Clip
    source_digest: str
    model: ModelInfo
    model_notes: tuple[Note, ...]
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


def plan_clip(
    clip: Clip,
    model: Classifier,
    config: ExplainConfig,
    scenes: tuple[FrameSpan, ...] | None = None,
    digest: str | None = None,
) -> ClipPlan:
    """Choose span, scenes, windows and layers, and find the positions of the layers' cells.

    Frames are read only to split scenes.

    Args:
        scenes: as ``scenes_of`` returns them; None to find them.
        digest: as ``source_digest`` returned it before frames were read; None to find it.

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
    model = at_rate_of(clip, model)
    class_ids = tuple(class_id(one, model.labels) for one in config.class_ids)
    span = span_of(clip.timeline, config.start, config.end)
    if scenes is None:
        scenes = scenes_of(clip, span, config)
    windows = plan_windows(clip.timeline, scenes, model, config)
    rate = config.frame_rate or lapse_rate(clip.timeline, span, model.frame_rate, config)
    size = (len(windows[0].frame_indices), *model.preprocess.crop)
    network = plan_network(model, size, config.layers, config)
    to_input = "input" in config.attribution().detail and bool(network.layers)
    batch_size, batch_note = fitting_batch(
        clip, model, network.captured, size, config.batch_size, to_input
    )
    of_layers = layer_map_keys(network, config)
    return ClipPlan(
        clip=clip,
        source_digest=source_digest(clip.path) if digest is None else digest,
        model=_model_info(model, network, size[0], rate or model.frame_rate),
        model_notes=tuple(_notes(model, network, size, config.align)),
        labels=model.labels,
        class_ids=class_ids,
        geometry=model.preprocess.geometry(clip.info.height, clip.info.width),
        span=span,
        scenes=scenes,
        windows=tuple(windows),
        map_keys=(*of_layers, *input_map_keys(config.input_methods)),
        input_size=size,
        centres={key: map_centres(network, key, size) for key in of_layers},
        layer_centres={layer: network.centres[layer] for layer in network.layers},
        refined=frozenset(key for key in of_layers if makes_finer(network, key[0], key[2])),
        head_biases=head_biases(model.module, len(model.labels)),
        batch_size=batch_size,
        batch_note=batch_note,
        rate_note=rate_note(clip.timeline, span, model.frame_rate, config),
        detail_note=detail_note(network, config),
    )


def _notes(
    model: Classifier, network: NetworkPlan, size: Sequence[int], align: str
) -> Iterator[Note]:
    """What is to be known about the network and the positions of its cells."""
    yield from model.notes
    if model.bypass and model.layer in network.layers:
        yield Note(_bypass_text(model), WARNING)
    for layer, fold in network.folds.items():
        cells = fold.grid[0]
        # Tokens are patches, which do lie evenly.
        is_even = fold.axes == "tokens" or model.input_layout.frames_of(cells, size[0]) is not None
        if not is_even and is_a_guess(cells, size[0], network.fields[layer][0], align):
            yield Note(guess_note(layer, align), WARNING)


def _bypass_text(model: Classifier) -> str:
    """What the maps of the default layer do not show, as part of the gradient goes round it."""
    return (
        f"{model.bypass:.2f} of the gradient goes round layer {model.layer}, through a connection "
        "beside it, and its maps do not show that part: --layer names another layer"
    )


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
