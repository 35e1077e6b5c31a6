"""The maps as the page gets them: one small signed map per source frame, in chunks.

Windows are blended here, once; what is left for the browser is to interpolate in space, cut the
negative part off, normalise and colour, which is what changes with the view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.rendering.heat import MapPainter, spatial_matrices
from video_cam.rendering.page.script_data import pack_levels, write_bytes_script

CHUNK_BYTES = 200_000  # a chunk loads in a few milliseconds
CURVE_POINTS = 1500  # more than a scrub bar has pixels
LEVELS = 32767


@dataclass(frozen=True)
class MapCurves:
    """What of a map is wanted before its chunks are. peak: the largest value; mass: (F,)."""

    peak: float
    mass: np.ndarray
    chunk_frames: int


def write_maps(folder: Path, explanation: Explanation, index: int) -> MapCurves:
    """Write map ``index`` as `<folder>/maps/<index>-<chunk>.js`.

    A chunk holds, for each of its frames, float32 (scale, window peak, probability), and behind
    them int16 cells (frames, H', W'): value = scale * cell. A negative scale: not seen.
    """
    series, blend = explanation.maps[index], explanation.blend(index)
    first, stop = explanation.span
    seconds = explanation.timeline.pts[first:stop] * float(explanation.timeline.time_base)
    height, width = series.values.shape[2:]
    chunk_frames = max(1, CHUNK_BYTES // (2 * height * width + 12))
    window_peaks = series.values.clip(min=0).max((1, 2, 3))
    painter = MapPainter(explanation, index, "window")
    mass, peak = np.zeros(len(seconds)), 0.0
    for chunk, start in enumerate(range(0, len(seconds), chunk_frames)):
        instants = seconds[start : start + chunk_frames]
        head = np.zeros((len(instants), 3), "<f4")
        cells = np.zeros((len(instants), height, width), "<i2")
        for i, instant in enumerate(instants.tolist()):
            values = blend.at(series.values, instant)
            if values is None:
                head[i, 0] = -1
                continue
            head[i, 0] = np.abs(values).max() / LEVELS
            head[i, 1] = sum(w[1] * window_peaks[w[0]] for w in blend.weights(instant))
            head[i, 2] = painter.probability(instant)
            if head[i, 0] > 0:
                cells[i] = np.rint(values / head[i, 0])
            positive = values.clip(min=0)
            mass[start + i] = positive.mean()
            peak = max(peak, float(positive.max()))
        write_bytes_script(folder, f"maps/{index}-{chunk}", head.tobytes() + cells.tobytes())
    return MapCurves(peak, mass, chunk_frames)


def describe_map(explanation: Explanation, series: MapSeries, curves: MapCurves) -> dict[str, Any]:
    """A map's name and place. x, y: the centres of its cells in source pixels, 0 the first's."""
    geometry = explanation.geometry
    _, _, box = spatial_matrices(geometry, series.centres)
    x = [geometry.to_source(float(c) + 0.5, 0)[0] - 0.5 for c in series.centres.x]
    y = [geometry.to_source(0, float(c) + 0.5)[1] - 0.5 for c in series.centres.y]
    return {
        "class_id": series.class_id,
        "label": series.label,
        "window_labels": [explanation.labels[c] for c in series.class_ids],
        "layer": series.layer,
        "method": series.method,
        "box": box,
        "nearest": explanation.options.get("align") == "nearest",
        "x": x,
        "y": y,
        "peak": curves.peak,
        "chunk_frames": curves.chunk_frames,
        "mass": pack_levels(shorten(curves.mass, np.max)),
    }


def class_scores(explanation: Explanation, class_ids: list[int]) -> np.ndarray:
    """(classes, F): each class's probability in the windows around every frame of the span."""
    blend, (first, stop) = explanation.blend(0), explanation.span
    seconds = explanation.timeline.pts[first:stop] * float(explanation.timeline.time_base)
    probabilities = np.stack([explanation.class_scores(c) for c in class_ids], 1)
    scores = np.zeros((len(seconds), len(class_ids)))
    for i, instant in enumerate(seconds.tolist()):
        for window, share, _ in blend.weights(instant):
            scores[i] += share * probabilities[window]
    return scores.T


def shorten(curve: np.ndarray, combine: Callable[[np.ndarray], float]) -> np.ndarray:
    """At most CURVE_POINTS points, each of them ``combine`` of the frames it stands for."""
    if len(curve) <= CURVE_POINTS:
        return curve
    return np.array([combine(part) for part in np.array_split(curve, CURVE_POINTS)])
