"""Does the check tell true maps from false ones? On drawn clips, with maps known to be false."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from video_cam.benchmark.sources import first_volumes, untrained
from video_cam.benchmark.yardstick import Yardstick
from video_cam.check import measure_drops
from video_cam.models import Classifier


def check_power(
    model: Classifier, clips: Yardstick, method: str, layer: str, count: int
) -> dict[str, float]:
    """AUROC of the check for true maps against each kind of false ones, on ``count`` clips.

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
    true = excess_drops(model, first, volumes)
    scores = {name: excess_drops(model, first, maps) for name, maps in false.items()}
    scores["all"] = [score for part in scores.values() for score in part]
    return {name: auroc(true, part) for name, part in scores.items()}


def excess_drops(model: Classifier, clips: Yardstick, volumes: Tensor) -> list[float]:
    """The check's number for each clip: the map's drop above that of random marks."""
    found = []
    for x, volume, class_id in zip(clips.x, volumes, clips.class_ids, strict=True):

        def logit(altered: Tensor, class_id: int = class_id) -> Tensor:
            return model.module(altered)[:, class_id]

        drops = measure_drops(logit, x.to(model.device), volume, batch=16)
        found.append(drops.drop - drops.random_drop if drops else np.nan)
    return [score for score in found if np.isfinite(score)]


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The share of pairs in which the positive is higher, ties counting half (Hanley 1982)."""
    a, b = torch.tensor(positives)[:, None], torch.tensor(negatives)[None]
    return float(((a > b).double() + 0.5 * (a == b).double()).mean())
