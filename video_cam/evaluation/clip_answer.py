"""What the ground truth says about one clip: is the class right, and is the map on the event?"""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import Any

import numpy as np

from video_cam import metrics
from video_cam.errors import ClipError
from video_cam.evaluation.event_grid import EventGrid, event_grid, hold_frames
from video_cam.explanation.explanation import Explanation
from video_cam.truth.classes import label_table
from video_cam.truth.clip_truth import ClipTruth

TOLERANCE = 1 / 16  # of the pointing game, as a share of the side; 7 pixels of 112


def clip_answer(explanation: Explanation, truth: ClipTruth) -> dict[str, Any]:
    """The entry "truth" of summary.json.

    Returns:
        name: the class as it was given; class_id and label: that of the network, or None.
        rank: its place among the predictions, from 1; correct: whether that is 1.
        num_classes: of the network.
        measures: of the first map against the event; None without spans, boxes, masks, key times.
        map: label, layer and method of this map.
        note: why measures are missing; else empty.
        given: spans, key times, boxes (frame, left, top, right, bottom), for how many frames each
            holds, and the number of masks.
        digest: changes with the truth.
    """
    class_id = label_table(explanation.labels).class_of(truth)
    rank = None if class_id is None else rank_of(explanation, class_id)
    measures, note = None, ""
    if truth.has_events:
        try:
            measures = map_measures(explanation, truth)
        except ClipError as error:
            note = str(error)
    return {
        "name": truth.class_name,
        "class_id": class_id,
        "label": None if class_id is None else explanation.labels[class_id],
        "rank": rank,
        "correct": None if rank is None else rank == 1,
        "num_classes": len(explanation.labels),
        "measures": measures,
        "map": {name: getattr(explanation.maps[0], name) for name in ("label", "layer", "method")},
        "note": note,
        "given": {
            "spans": [list(span) for span in truth.spans],
            "key_times": [list(moment) for moment in truth.key_times],
            "boxes": [list(astuple(box)) for box in truth.boxes],
            "hold_frames": hold_frames(truth.places),
            "num_masks": len(truth.masks),
        },
        "digest": truth.digest(),
    }


def rank_of(explanation: Explanation, class_id: int) -> int:
    """The place of a class among the predictions of the clip, from 1."""
    order = np.argsort(-explanation.probabilities.mean(0), kind="stable")
    return int(np.flatnonzero(order == class_id)[0]) + 1


def map_measures(explanation: Explanation, truth: ClipTruth, index: int = 0) -> dict[str, Any]:
    """Measures of one map, of ``video_cam.metrics``, against when and where the event is.

    Returns:
        Name -> number, None where a measure does not apply: pointing, iou with boxes or masks;
        mass and event_share (the share of the clip that the event takes, which is what mass has by
        chance); temporal_hit, temporal_iou, lag_seconds where the event does not last all of the
        clip; peak_distance_seconds with key times.

    Raises:
        ClipError: for a mask that cannot be read or does not fit the frame.
    """
    grid = event_grid(explanation, index, truth)
    found: dict[str, float] = {}
    if truth.spans or truth.places:
        found |= _against_event(grid, bool(truth.places))
    if truth.key_times:
        found["peak_distance_seconds"] = _peak_distance(grid, truth)
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _against_event(grid: EventGrid, has_places: bool) -> dict[str, float]:
    volume, event = grid.volume, grid.event
    found = {
        "mass": metrics.mass_in_event(volume, event),
        "event_share": float(event.mean()),
    }
    if has_places:
        pixels = max(1, round(TOLERANCE * max(event.shape[1:])))
        found["pointing"] = metrics.space_pointing(volume, event, pixels)
        found["iou"] = metrics.space_time_iou(volume, event)
    if not event.any((1, 2)).all():
        found["temporal_hit"] = metrics.temporal_hit(volume, event)
        found["temporal_iou"] = metrics.temporal_iou(volume, event)
        found["lag_seconds"] = metrics.lag(volume, event) * grid.step_seconds
    return found


def _peak_distance(grid: EventGrid, truth: ClipTruth) -> float:
    """The mean over the key times, in seconds."""
    steps = [(moment - grid.seconds[0]) / grid.step_seconds for _, moment in truth.key_times]
    distances = [metrics.peak_distance(grid.volume, step) for step in steps]
    return float(np.mean(distances)) * grid.step_seconds
