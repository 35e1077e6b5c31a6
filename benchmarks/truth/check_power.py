"""How well does the perturbation check separate correct maps from maps known to be wrong?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.truth.benchmark_clips import BATCH, BenchmarkClips
from benchmarks.truth.map_sources import DEFAULT_ALIGN, class_volumes, untrained
from video_cam.metrics.perturbation_check import FULL_FORWARDS, Drops, measure_drops
from video_cam.models.classifier import Classifier


@dataclass(frozen=True)
class CheckPower:
    """The power of the perturbation check.

    Attributes:
        auroc: kind of wrong maps -> area under the ROC curve of the check's margin, the map's drop
            minus the mean drop of random regions, for correct against wrong maps.
        pass_rates: kind of maps, "correct" included -> share of them that pass the check.
    """

    auroc: dict[str, float]
    pass_rates: dict[str, float]

    def __str__(self) -> str:
        auroc = ", ".join(f"{name} {value:.2f}" for name, value in self.auroc.items())
        rates = ", ".join(f"{name} {value:.0%}" for name, value in self.pass_rates.items())
        return f"AUROC {auroc}; maps that pass: {rates}"


def check_power(
    model: Classifier,
    clips: BenchmarkClips,
    method: str,
    layer: str,
    align: str = DEFAULT_ALIGN,
    forwards: int = FULL_FORWARDS,
) -> CheckPower:
    """Run the perturbation check on correct maps and on three kinds of wrong maps.

    The wrong maps are another clip's map ("shuffled"), the clip's map of the next class ("wrong
    class") and the map of the same network with random weights ("untrained"); "all" is the three
    together.

    Args:
        model: the network.
        clips: with the classes that the correct maps explain.
        method: of the maps.
        layer: of the maps.
        align: of the maps' cells.
        forwards: passes in one check; more of them compare with more random regions.
    """

    def volumes(network: Classifier, class_ids: Sequence[int]) -> Tensor:
        return class_volumes(
            network, replace(clips, class_ids=list(class_ids)), method, layer, align
        )

    next_ids = [(class_id + 1) % len(model.labels) for class_id in clips.class_ids]
    correct_volumes = volumes(model, clips.class_ids)
    wrong_volumes = {
        "shuffled": correct_volumes.roll(1, 0),
        "wrong class": volumes(model, next_ids),
        "untrained": volumes(untrained(model), clips.class_ids),
    }
    correct = clip_drops(model, clips, correct_volumes, forwards)
    wrong = {name: clip_drops(model, clips, maps, forwards) for name, maps in wrong_volumes.items()}
    margins = {name: _margins(drops) for name, drops in wrong.items()}
    margins["all"] = [margin for part in margins.values() for margin in part]
    return CheckPower(
        {name: auroc(_margins(correct), part) for name, part in margins.items()},
        {
            name: float(np.mean([drop.carries for drop in drops]))
            for name, drops in {"correct": correct, **wrong}.items()
        },
    )


def _margins(drops: Sequence[Drops]) -> list[float]:
    return [drop.drop - drop.random_drop for drop in drops]


def clip_drops(
    model: Classifier, clips: BenchmarkClips, volumes: Tensor, forwards: int
) -> list[Drops]:
    """The check's result for each clip with a logit above 0; ``volumes`` is (N, T, H, W)."""
    drops = []
    for x, volume, class_id in zip(clips.x, volumes, clips.class_ids, strict=True):

        def logit(altered: Tensor, class_id: int = class_id) -> Tensor:
            return model.module(altered)[:, class_id]

        drops.append(measure_drops(logit, x.to(model.device), volume, forwards, BATCH))
    return [drop for drop in drops if drop is not None]


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """The share of pairs in which the positive is higher; ties count half (Hanley, McNeil 1982)."""
    a, b = torch.tensor(positives)[:, None], torch.tensor(negatives)[None]
    return float(((a > b).double() + 0.5 * (a == b).double()).mean())
