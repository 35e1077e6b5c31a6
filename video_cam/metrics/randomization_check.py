"""Does the map depend on what the network has learned? Randomise the network part by part.

Cascading randomisation: Adebayo et al. 2018 ("Sanity Checks for Saliency Maps", section 3).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from video_cam.analysis.window_input import read_input
from video_cam.attribution.cam import compute_cams
from video_cam.choice_names import LAYER_METHOD_NAMES
from video_cam.config import ExplainConfig
from video_cam.errors import CheckNotApplicable
from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.explanation.target_selection import rivals_of
from video_cam.layers.differentiable import quantised_layer
from video_cam.layers.layout import Fold
from video_cam.models.classifier import Classifier
from video_cam.utils.progress import Progress, silent
from video_cam.video.clip import Clip

MAX_STAGES = 12
# Of the rank correlation with the trained network's map: below it, the map needs the training.
MAX_CORRELATION = 0.5
# Options of an explanation that change the values of a layer's cells.
_OPTIONS = (
    *("pooling", "aug_smooth", "aug_shift", "eigen_smooth", "precision", "max_channels"),
    *("fill", "masks", "mask_error", "seed"),
)


def run_randomization_check(
    clip: Clip,
    model: Classifier,
    explanation: Explanation,
    config: ExplainConfig,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Randomise a copy of the network from the output to the input, and compare the first map.

    The map is computed in the window with the highest score of its class. Each stage draws the
    parameters of one more part at random.

    Args:
        config: what the explanation was made with.

    Returns:
        Entries of summary.json: "sentence", "window", and "stages" with the name of each part and
        the rank correlation of the map's cells with those of the trained network (None for a
        constant map).

    Raises:
        CheckNotApplicable: for an untrained network, one with quantised layers, and a map that is
            not one layer's, or the input's, of one class.
    """
    series = explanation.maps[0]
    if not model.trained:
        raise CheckNotApplicable("the network is untrained, so randomising it changes nothing")
    quantised = quantised_layer(model.module)
    if quantised is not None:
        raise CheckNotApplicable(
            f"layer {quantised!r} is quantised, and such weights cannot be drawn at random"
        )
    if series.class_id is None or series.class_ids or config.fuse:
        raise CheckNotApplicable("the first map is not one layer's of one class")
    window = int(explanation.window_scores(series).argmax())
    x = read_input(clip, model, explanation, window)[None]
    folds: Mapping[str, Fold] = {}
    if series.method in LAYER_METHOD_NAMES:
        folds = model.layers(tuple(x.shape[2:]), [series.layer]).folds
    rivals = rivals_of(explanation, config.contrast)[window : window + 1]
    module = copy.deepcopy(model.module)
    names, stages = stage_names(module), []
    frames = explanation.frame_indices[window].tolist()
    with model.input_layout.in_window(clip, frames), progress("sanity", len(names)) as step:
        trained = _cells(module, x, series, rivals, folds, config)
        for name in randomize_in_stages(module, names):
            cells = _cells(module, x, series, rivals, folds, config)
            stages.append({"module": name, "rank_correlation": rank_correlation(trained, cells)})
            step(1)
    return {"sentence": _sentence(stages), "stages": stages, "window": window}


def stage_names(module: nn.Module) -> list[str]:
    """Names of the parts of a network that have parameters, from the output to the input.

    Parts are the direct children; of a network with a single child, that child's children. At
    most MAX_STAGES, spread evenly.
    """
    names = [""]
    while len(names) == 1:
        outer = module.get_submodule(names[0])
        inner = [
            f"{names[0]}.{name}".lstrip(".")
            for name, child in outer.named_children()
            if any(True for _ in child.parameters())
        ]
        if not inner:
            break
        names = inner
    if len(names) > MAX_STAGES:
        chosen = np.linspace(0, len(names) - 1, MAX_STAGES).round().astype(int)
        names = [names[i] for i in chosen]
    return names[::-1]


def randomize_in_stages(module: nn.Module, names: Sequence[str]) -> Iterator[str]:
    """Draw the parameters of a network at random, part by part, in place.

    A stage includes everything behind its part, so that parts without a stage of their own are
    randomised as well. The state of the global random generators is kept.

    Args:
        names: parts, from the output to the input, as ``stage_names`` returns them.

    Yields:
        Each name, when its part has been randomised.
    """
    modules = dict(module.named_modules())
    order = list(modules)
    done: set[str] = set()
    for stage, name in enumerate(names):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stage)
            for other in order[order.index(name) :]:
                if other not in done:
                    done.add(other)
                    _randomize_on_cpu(modules[other])
        yield name


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's rank correlation, in [-1, 1]; None where either array is constant.

    Equal values share the mean of their ranks.
    """
    first, second = (_ranks(values.ravel()) for values in (a, b))
    if first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _cells(
    module: nn.Module,
    x: Tensor,
    series: MapSeries,
    rivals: Sequence[int],
    folds: Mapping[str, Fold],
    config: ExplainConfig,
) -> np.ndarray:
    """The map (T', H', W') of the layer, class and method of ``series``, less its rivals'.

    ``folds`` are of its layer; empty for a map of the whole input.
    """
    own, *others = compute_cams(
        module,
        x,
        layers=list(folds),
        methods=[series.method],
        targets=[series.class_id, *rivals],
        unpack=folds,
        detail=series.detail,
        align="half-pixel",  # any will do: cells are compared with cells at the same positions
        **{name: getattr(config, name) for name in _OPTIONS},
    )
    values = own.values[0] - sum(cam.values[0] for cam in others)
    return np.asarray(values.cpu())


def _randomize_on_cpu(module: nn.Module) -> None:
    """Randomise a module with the CPU's numbers: every device would draw its own."""
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    module.to("cpu")
    _randomize(module)
    module.to(device)


@torch.no_grad()
def _randomize(module: nn.Module) -> None:
    """As a new module's; parameters without a reset get normal values of the same spread."""
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for parameter in module.parameters(recurse=False):
        parameter.normal_(0.0, float(parameter.std()) if parameter.numel() > 1 else 1.0)


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _sentence(stages: Sequence[Mapping[str, Any]]) -> str:
    last = stages[-1]["rank_correlation"]
    if last is None:
        return "with every part randomised the map is the same everywhere: it needs the training"
    verdict = "needs" if abs(last) < MAX_CORRELATION else "hardly needs"
    return (
        f"with every part randomised the map's rank correlation with the trained one is "
        f"{last:.2f}: it {verdict} what the network has learned"
    )
