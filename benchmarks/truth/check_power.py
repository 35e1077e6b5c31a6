"""Does the check tell true maps from false ones? On drawn clips, with maps known to be false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.truth.drawn_benchmark import Yardstick
from benchmarks.truth.sources import first_volumes, untrained
from video_cam.metrics.perturbation_check import Drops, measure_drops
from video_cam.models.classifier import Classifier


@dataclass(frozen=True)
class Power:
    """auroc: of the drop above random, true maps against each kind of false ones.

    carried: the share of each kind, true ones too, of which the check says that they carry.
    """

    auroc: dict[str, float]
    carried: dict[str, float]

    def __str__(self) -> str:
        auroc = ", ".join(f"{name} {value:.2f}" for name, value in self.auroc.items())
        carried = ", ".join(f"{name} {value:.0%}" for name, value in self.carried.items())
        return f"AUROC: {auroc}. It says that they carry the score of: {carried}"


def check_power(model: Classifier, clips: Yardstick, method: str, layer: str, count: int) -> Power:
    """How well the check tells true maps from each kind of false ones, on ``count`` clips.

    shuffled: another clip's map. wrong class: the clip's map of the next class. untrained: the
    map of the same network with random weights. all: the three together.
    """
    first = clips.first(count)
    wrong = [(class_id + 1) % len(model.labels) for class_id in first.class_ids]
    volumes = first_volumes(model, first, first.class_ids, method, layer)
    false = {
        "shuffled": volumes.roll(1, 0),
        "wrong class": first_volumes(model, first, wrong, method, layer),
        "untrained": first_volumes(untrained(model), first, first.class_ids, method, layer),
    }
    true = all_drops(model, first, volumes)
    kinds = {name: all_drops(model, first, maps) for name, maps in false.items()}
    scores = {name: _excess(part) for name, part in kinds.items()}
    scores["all"] = [score for part in scores.values() for score in part]
    return Power(
        {name: auroc(_excess(true), part) for name, part in scores.items()},
        {
            name: float(np.mean([drops.carries for drops in part]))
            for name, part in {"true": true, **kinds}.items()
        },
    )


def _excess(found: Sequence[Drops]) -> list[float]:
    return [drops.drop - drops.random_drop for drops in found]


def all_drops(model: Classifier, clips: Yardstick, volumes: Tensor) -> list[Drops]:
    """What the check finds for each clip whose logit is above 0."""
    found = []
    for x, volume, class_id in zip(clips.x, volumes, clips.class_ids, strict=True):

        def logit(altered: Tensor, class_id: int = class_id) -> Tensor:
            return model.module(altered)[:, class_id]

        found.append(measure_drops(logit, x.to(model.device), volume, batch=16))
    return [drops for drops in found if drops is not None]


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The share of pairs in which the positive is higher, ties counting half (Hanley 1982)."""
    a, b = torch.tensor(positives)[:, None], torch.tensor(negatives)[None]
    return float(((a > b).double() + 0.5 * (a == b).double()).mean())
