"""All measures of one row's maps, one value per clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.map_sources import MapRow
from video_cam import metrics
from video_cam.models.classifier import Classifier

# Tolerances of the pointing games; cells of layer4 are 16 pixels apart.
PIXELS, FRAMES = 7, 1
# Name -> function of a map and the ground truth, both (T, H, W).
LOCALIZATION: dict[str, Callable[[Any, Any], float]] = {
    "space_pointing": lambda heat, mask: metrics.space_pointing(heat, mask, PIXELS),
    "space_time_pointing": lambda heat, mask: metrics.space_time_pointing(
        heat, mask, FRAMES, PIXELS
    ),
    "average_precision": metrics.average_precision,
    "best_iou": metrics.best_iou,
    "mass_in_event": metrics.mass_in_event,
    "space_time_iou": metrics.space_time_iou,
    "temporal_hit": metrics.temporal_hit,
    "temporal_iou": metrics.temporal_iou,
    "onset_error_frames": metrics.onset_error,
    "lag_frames": metrics.lag,
}
ON_DISTRACTORS = "mass_on_distractors"  # share of the positive values where a distractor acts
FAITHFULNESS = ("insertion", "deletion", "average_drop", "average_increase")
MEAN_MAP = ("mean_map_drop", "mean_map_increase")
CURVE_STEPS = 10  # of insertion and deletion
UNIT_COLUMNS: dict[str, tuple[Callable[..., float], dict[str, str]]] = {
    f"{curve.__name__}, {unit}, {baseline}": (curve, {"unit": unit, "baseline": baseline})
    for curve in (metrics.insertion, metrics.deletion)
    for unit in metrics.UNITS
    for baseline in metrics.BASELINES
}
Values = dict[str, np.ndarray]  # measure -> float (clips,)


def measure_maps(
    maps: MapRow, model: Classifier, clips: BenchmarkClips, faithful_clips: int
) -> Values:
    """Measure a row's maps.

    Args:
        maps: of ``clips``.
        model: the network that the maps explain.
        clips: with their ground truth.
        faithful_clips: the measures of faithfulness, which run the network on altered clips, have
            values for the first so many clips.

    Returns:
        LOCALIZATION, ON_DISTRACTORS, FAITHFULNESS and MEAN_MAP -> values, NaN for clips without a
        map. MEAN_MAP are drop and increase of the mean map of all clips, with which those of the
        maps can be compared.
    """
    without_map = [np.nan] * (len(clips) - len(maps.volumes))
    clips = clips.first(len(maps.volumes))
    pairs = list(zip(maps.volumes.numpy(), clips.masks, strict=True))
    values: dict[str, list[float]] = {
        name: [*(function(heat, mask) for heat, mask in pairs), *without_map]
        for name, function in LOCALIZATION.items()
    }
    on_distractors = zip(maps.volumes.numpy(), clips.distractors, strict=True)
    values[ON_DISTRACTORS] = [
        *(metrics.mass_in_event(heat, mask) for heat, mask in on_distractors),
        *without_map,
    ]
    values |= {name: [] for name in (*FAITHFULNESS, *MEAN_MAP)}
    mean_map = _mean_map(maps.volumes)
    for i in range(min(faithful_clips, len(clips))):
        score, x = class_probability(model, clips.class_ids[i]), clips.x[i].to(model.device)
        volume = maps.volumes[i]
        values["insertion"].append(metrics.insertion(score, x, volume, steps=CURVE_STEPS))
        values["deletion"].append(metrics.deletion(score, x, volume, steps=CURVE_STEPS))
        for names, map_ in ((FAITHFULNESS[2:], volume), (MEAN_MAP, mean_map)):
            for name, value in zip(names, metrics.average_drop(score, x, map_), strict=True):
                values[name].append(value)
    return {name: np.array(part) for name, part in values.items()}


def measure_units(
    maps: MapRow, model: Classifier, clips: BenchmarkClips, faithful_clips: int
) -> Values:
    """Insertion and deletion by every unit and baseline, of the first ``faithful_clips`` clips.

    Returns:
        UNIT_COLUMNS -> values.
    """
    values: dict[str, list[float]] = {name: [] for name in UNIT_COLUMNS}
    for i in range(min(faithful_clips, len(clips))):
        score, x = class_probability(model, clips.class_ids[i]), clips.x[i].to(model.device)
        for name, (curve, options) in UNIT_COLUMNS.items():
            values[name].append(curve(score, x, maps.volumes[i], steps=CURVE_STEPS, **options))
    return {name: np.array(part) for name, part in values.items()}


def class_probability(model: Classifier, class_id: int) -> metrics.faithfulness.Score:
    """A function from float clips (N, C, T, H, W) to the class's probability (N,)."""
    return lambda x: model.module(x).softmax(1)[:, class_id]


def _mean_map(volumes: Tensor) -> Tensor:
    """The mean over clips of the positive maps (N, T, H, W), each divided by its sum."""
    positive = volumes.clamp(min=0)
    mass = positive.flatten(1).sum(1).clamp(min=torch.finfo(torch.float32).tiny)
    return (positive / mass[:, None, None, None]).mean(0)
