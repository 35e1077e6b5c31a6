"""Every measure of a row's maps, one number per clip, then means with their intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.truth.drawn_benchmark import Yardstick
from benchmarks.truth.sources import Row
from video_cam import metrics
from video_cam.models.classifier import Classifier

PIXELS, FRAMES = 7, 1  # how far off is still a hit: under half of the 16 pixels between two cells
AGAINST_TRUTH: dict[str, Callable[[Any, Any], float]] = {
    "space_pointing": lambda heat, truth: metrics.space_pointing(heat, truth, PIXELS),
    "space_time_pointing": lambda heat, truth: metrics.space_time_pointing(
        heat, truth, FRAMES, PIXELS
    ),
    "mass_in_event": metrics.mass_in_event,
    "space_time_iou": metrics.space_time_iou,
    "temporal_hit": metrics.temporal_hit,
    "onset_error_frames": metrics.onset_error,
    "lag_frames": metrics.lag,
}
FAITHFUL = ("insertion", "deletion", "average_drop", "average_increase")
MEAN_MAP = ("mean_map_drop", "mean_map_increase")
UNIT_COLUMNS: dict[str, tuple[Callable[..., float], dict[str, str]]] = {
    f"{curve.__name__}, {unit}, {baseline}": (curve, {"unit": unit, "baseline": baseline})
    for curve in (metrics.insertion, metrics.deletion)
    for unit in metrics.UNITS
    for baseline in metrics.BASELINES
}
Values = dict[str, np.ndarray]  # measure -> (clips,)


def measure(row: Row, model: Classifier, clips: Yardstick, faithful: int) -> Values:
    """Each measure's value per clip; those that score altered clips for the first ``faithful``."""
    pairs = list(zip(row.volumes.numpy(), clips.masks, strict=True))
    found: dict[str, list[float]] = {
        name: [of(heat, truth) for heat, truth in pairs] for name, of in AGAINST_TRUTH.items()
    }
    found |= {name: [] for name in (*FAITHFUL, *MEAN_MAP)}
    mean_map = _mean_map(row.volumes)
    for i in range(min(faithful, len(clips))):
        score, x = class_probability(model, clips.class_ids[i]), clips.x[i].to(model.device)
        found["insertion"].append(metrics.insertion(score, x, row.volumes[i]))
        found["deletion"].append(metrics.deletion(score, x, row.volumes[i]))
        for names, volume in (
            (("average_drop", "average_increase"), row.volumes[i]),
            (MEAN_MAP, mean_map),
        ):
            for name, value in zip(names, metrics.average_drop(score, x, volume), strict=True):
                found[name].append(value)
    return {name: np.array(values) for name, values in found.items()}


def measure_units(row: Row, model: Classifier, clips: Yardstick, faithful: int) -> Values:
    """Insertion and deletion of the first ``faithful`` clips by every unit and baseline."""
    found: dict[str, list[float]] = {name: [] for name in UNIT_COLUMNS}
    for i in range(min(faithful, len(clips))):
        score, x = class_probability(model, clips.class_ids[i]), clips.x[i].to(model.device)
        for name, (curve, options) in UNIT_COLUMNS.items():
            found[name].append(curve(score, x, row.volumes[i], **options))
    return {name: np.array(values) for name, values in found.items()}


def class_probability(model: Classifier, class_id: int) -> metrics.faithfulness.Score:
    """The probability of one class as a function of clips."""
    return lambda x: model.module(x).softmax(1)[:, class_id]


def _mean_map(volumes: Tensor) -> Tensor:
    """What all clips' maps have in common: the mean of their shares of heat."""
    positive = volumes.clamp(min=0)
    mass = positive.flatten(1).sum(1).clamp(min=torch.finfo(torch.float32).tiny)
    return (positive / mass[:, None, None, None]).mean(0)
