"""Does the map depend on what the network has learned? Randomise it, part by part, and see."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from video_cam.attribution.cam import compute_cams
from video_cam.config import ExplainConfig
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.target_selection import rivals_of
from video_cam.metrics.perturbation_check import CannotCheck, read_window
from video_cam.models.classifier import Classifier
from video_cam.utils.progress import Progress, silent

MOST_STAGES = 12


def check_sanity(
    path: str,
    model: Classifier,
    explanation: Explanation,
    options: ExplainConfig,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Cascading randomisation (Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3).

    From the output back to the input each part's parameters are drawn anew, on top of those
    before, and the first map is made again, in the window that scores its class highest. Each
    stage tells the rank correlation (Spearman) of its cells with the trained network's; None
    where a map is the same everywhere. Raises CannotCheck for a map that is not one layer's of one
    class, and for an untrained network. The model is left as it was.
    """
    series = explanation.maps[0]
    if not model.trained:
        raise CannotCheck("the network is untrained, and has nothing to forget")
    if series.class_id is None or series.class_ids or options.fuse:
        raise CannotCheck("the first map is not one layer's of one class")
    window = int(explanation.window_scores(series).argmax())
    x = read_window(path, model, explanation, window)[None]
    folds = model.layers(tuple(x.shape[2:]), [series.layer]).folds
    rivals = rivals_of(explanation, options.contrast)[window : window + 1]

    def cells(module: nn.Module) -> np.ndarray:
        own, *rival = compute_cams(
            module,
            x,
            layers=[series.layer],
            methods=[series.method],
            targets=[series.class_id, *rivals],
            unpack=folds,
            align="half-pixel",  # cells are compared with cells: where they lie does not matter
            **{
                name: getattr(options, name)
                for name in ("pooling", "aug_smooth", "aug_shift", "eigen_smooth", "precision")
            },
            max_channels=options.max_channels,
        )
        values = own.values[0] - sum(cam.values[0] for cam in rival)
        return np.asarray(values.cpu())

    module = copy.deepcopy(model.module)
    trained, stages = cells(module), []
    names = parts(module)
    with progress("sanity", len(names)) as step:
        for name in randomised(module, names):
            correlation = rank_correlation(trained, cells(module))
            stages.append({"module": name, "rank_correlation": correlation})
            step(1)
    return {"sentence": _sentence(stages), "stages": stages, "window": window}


def parts(module: nn.Module) -> list[str]:
    """Names of the parts with parameters, last first; at most MOST_STAGES.

    A network that is a single part is taken apart one level further.
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
    if len(names) > MOST_STAGES:
        names = [names[i] for i in np.linspace(0, len(names) - 1, MOST_STAGES).round().astype(int)]
    return names[::-1]


def randomised(module: nn.Module, names: list[str]) -> Iterator[str]:
    """Draw the parts' parameters anew, one after the other; yields each name when that is done.

    Everything from the part on is drawn, so that parts left out of the names are, too. The random
    numbers of the process are as they were.
    """
    everything = dict(module.named_modules())
    order = list(everything)
    done: set[str] = set()
    for stage, name in enumerate(names):
        with torch.random.fork_rng():
            torch.manual_seed(stage)
            for other in order[order.index(name) :]:
                if other not in done:
                    done.add(other)
                    _randomise(everything[other])
        yield name


@torch.no_grad()
def _randomise(module: nn.Module) -> None:
    """As a fresh module's; parameters no reset is known for get as wide a normal spread."""
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for parameter in module.parameters(recurse=False):
        parameter.normal_(0.0, float(parameter.std()) if parameter.numel() > 1 else 1.0)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's: the correlation of ranks, equal values sharing theirs; None for a flat map."""
    first, second = (_ranks(values.ravel()) for values in (a, b))
    if first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _sentence(stages: list[dict[str, Any]]) -> str:
    last = stages[-1]["rank_correlation"]
    if last is None:
        return "with every part randomised the map is the same everywhere: it needs the training"
    verdict = "needs" if abs(last) < 0.5 else "hardly needs"
    return (
        f"with every part randomised the map's rank correlation with the trained one is "
        f"{last:.2f}: it {verdict} what the network has learned"
    )
