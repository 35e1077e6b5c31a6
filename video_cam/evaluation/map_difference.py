"""How alike two maps of one clip are, and when and where they differ most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from video_cam.evaluation.event_grid import MAX_STEPS, even_moments, map_volume, span_seconds
from video_cam.explanation.explanation import Explanation
from video_cam.rendering.heat import spatial_matrices
from video_cam.rendering.overlay import Box

_TINY = 1e-12


@dataclass(frozen=True)
class MapDifference:
    """Two maps of a clip, compared as heat: negative values count as 0, the largest is 1.

    Attributes:
        correlation: Pearson's, over all places and moments; None where a map is constant.
        start_seconds, step_seconds: of the moments of ``curve``.
        curve: float64 (T,), the mean absolute difference at each moment, in [0, 1].
        seconds: where the curve is largest.
        place: (x, y) in source pixels of the largest difference at this moment.
    """

    correlation: float | None
    start_seconds: float
    step_seconds: float
    curve: np.ndarray
    seconds: float
    place: tuple[float, float]


def map_difference(one: Explanation, other: Explanation) -> MapDifference | None:
    """Compare the first maps of two explanations over what both networks saw of the clip.

    Returns:
        None where they are of clips of other sizes, or have no moment or place in common.
    """
    geometry = one.geometry
    size = geometry.source_height, geometry.source_width
    if size != (other.geometry.source_height, other.geometry.source_width):
        return None
    spans = [span_seconds(explanation) for explanation in (one, other)]
    start, end = max(first for first, _ in spans), min(last for _, last in spans)
    box = _common(_seen(one), _seen(other))
    if start >= end or box is None:
        return None
    count = min(one.span[1] - one.span[0], other.span[1] - other.span[0], MAX_STEPS)
    seconds, step = even_moments(start, end, count)
    heat, other_heat = (_heat(map_volume(each, 0, seconds, box)[0]) for each in (one, other))
    return _compared(heat, other_heat, seconds, step, box)


def _compared(
    heat: np.ndarray, other: np.ndarray, seconds: np.ndarray, step: float, box: Box
) -> MapDifference:
    difference = np.abs(heat - other)
    curve = difference.mean((1, 2))
    moment = int(curve.argmax())
    row, column = np.unravel_index(difference[moment].argmax(), difference.shape[1:])
    left, top, right, bottom = box
    return MapDifference(
        correlation(heat, other),
        float(seconds[0] - step / 2),
        step,
        curve,
        float(seconds[moment]),
        (
            left + (float(column) + 0.5) * (right - left) / difference.shape[2],
            top + (float(row) + 0.5) * (bottom - top) / difference.shape[1],
        ),
    )


def correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Pearson's correlation of two arrays of one shape; None where one of them is constant."""
    x, y = (values.astype(np.float64).ravel() for values in (one, other))
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    return float(x @ y) / scale if scale > _TINY * len(x) else None


def _heat(volume: np.ndarray) -> np.ndarray:
    positive = volume.clip(min=0)
    return positive / max(float(positive.max()), _TINY)


def _seen(explanation: Explanation) -> Box:
    return spatial_matrices(explanation.geometry, explanation.maps[0].centres)[2]


def _common(one: Box, other: Box) -> Box | None:
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[2], other[2]), min(one[3], other[3])
    return (left, top, right, bottom) if left < right and top < bottom else None
