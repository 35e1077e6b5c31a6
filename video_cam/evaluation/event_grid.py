"""A clip's map and its ground truth on one grid: evenly spaced in time, over what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.heat import spatial_matrices
from video_cam.rendering.overlay import Box as SeenBox
from video_cam.truth.clip_truth import Box, ClipTruth, Mask, Span
from video_cam.truth.pixels import region_pixels

# Maps have far fewer cells in space; in time, ten minutes are divided into steps of 1.2 seconds.
MAX_SIDE, MAX_STEPS = 112, 512


@dataclass(frozen=True)
class EventGrid:
    """A map and a ground truth at the same places and moments.

    Attributes:
        seconds: float64 (T,), evenly spaced moments, each in the middle of its step.
        step_seconds: from one moment to the next.
        volume: float32 (T, H, W), the signed map; 0 where no window covers the moment.
        event: bool (T, H, W), the ground truth.
    """

    seconds: np.ndarray
    step_seconds: float
    volume: np.ndarray
    event: np.ndarray


def event_grid(explanation: Explanation, index: int, truth: ClipTruth) -> EventGrid:
    """Map ``index`` of an explanation and a clip's truth on one grid.

    A box or mask holds from its frame to the next annotated one, but no longer than annotated
    frames usually are apart. With spans it counts within them; without boxes and masks the event
    is all of the picture that the network saw.

    Raises:
        ClipError: for a mask that cannot be read or does not fit the frame.
    """
    seconds, step = even_moments(*span_seconds(explanation), _num_steps(explanation))
    volume, box = map_volume(explanation, index, seconds)
    event = np.ones(volume.shape, bool)
    if truth.spans:
        event &= _within(truth.spans, seconds)[:, None, None]
    if truth.places:
        event &= _regions(explanation, truth.places, seconds, box, volume.shape[1:])
    return EventGrid(seconds, step, volume, event)


def map_volume(
    explanation: Explanation, index: int, seconds: np.ndarray, within: SeenBox | None = None
) -> tuple[np.ndarray, SeenBox]:
    """A map at given moments.

    Args:
        explanation: what the network saw.
        index: of the map.
        seconds: float64 (T,), on the clock of the clip's time stamps.
        within: a box inside of what the network saw; None for all of that.

    Returns:
        volume: float32 (T, H, W), on an even grid of at most MAX_SIDE points along each axis of the
            box; 0 where no window covers the moment.
        box: left, top, right, bottom in source pixels: what the network saw, or ``within``.
    """
    series, blend = explanation.maps[index], explanation.blend(index)
    rows, columns, box = spatial_matrices(explanation.geometry, series.centres)
    left, top, right, bottom = within or box
    rows = _thinned(rows[top - box[1] : bottom - box[1]])
    columns = _thinned(columns[left - box[0] : right - box[0]])
    volume = np.zeros((len(seconds), len(rows), len(columns)), np.float32)
    for position, moment in enumerate(seconds.tolist()):
        cells = blend.at(series.values, moment)
        if cells is not None:
            volume[position] = rows @ cells @ columns.T
    return volume, (left, top, right, bottom)


def span_seconds(explanation: Explanation) -> tuple[float, float]:
    """When the first explained frame appears and the last one disappears."""
    first, stop = explanation.span
    timeline = explanation.timeline
    return float(timeline.pts_seconds(first)), float(timeline.frame_end_seconds(stop - 1))


def even_moments(start: float, end: float, count: int) -> tuple[np.ndarray, float]:
    """The middles of ``count`` equal steps from start to end in seconds, and their length."""
    step = (end - start) / count
    return start + (np.arange(count) + 0.5) * step, step


def _num_steps(explanation: Explanation) -> int:
    first, stop = explanation.span
    return min(stop - first, MAX_STEPS)


def _thinned(matrix: np.ndarray) -> np.ndarray:
    """At most MAX_SIDE rows of an interpolation, evenly spaced."""
    count = min(len(matrix), MAX_SIDE)
    return matrix[((np.arange(count) + 0.5) * len(matrix) / count).astype(int)]


def _within(spans: Sequence[Span], seconds: np.ndarray) -> np.ndarray:
    """bool (T,): whether each moment is in a span; the nearest one is where all are too short."""
    inside = np.zeros(len(seconds), bool)
    for start, end in spans:
        now = (seconds >= start) & (seconds < end)
        if not now.any() and seconds[0] <= (start + end) / 2 <= seconds[-1]:
            now[np.abs(seconds - (start + end) / 2).argmin()] = True
        inside |= now
    return inside


def _regions(
    explanation: Explanation,
    places: Sequence[Box | Mask],
    seconds: np.ndarray,
    box: SeenBox,
    shape: tuple[int, ...],
) -> np.ndarray:
    """bool (T, H, W): the annotated regions in what the network saw."""
    by_frame: dict[int, list[Box | Mask]] = {}
    for place in places:
        by_frame.setdefault(place.frame_index, []).append(place)
    annotated = np.array(sorted(by_frame))
    hold = hold_frames(places)
    pts = explanation.timeline.pts * float(explanation.timeline.time_base)
    frames = np.searchsorted(pts, seconds, side="right") - 1
    regions: dict[int, np.ndarray] = {}
    event = np.zeros((len(seconds), *shape), bool)
    for position, frame_index in enumerate(frames.tolist()):
        latest = int(np.searchsorted(annotated, frame_index, side="right")) - 1
        if latest < 0 or frame_index - annotated[latest] >= hold:
            continue
        key = int(annotated[latest])
        if key not in regions:
            regions = {key: _region(explanation, by_frame[key], box, shape)}  # the last one is kept
        event[position] = regions[key]
    return event


def hold_frames(places: Sequence[Box | Mask]) -> int:
    """For how many frames an annotated region holds: the usual distance of annotated frames."""
    annotated = sorted({place.frame_index for place in places})
    return int(np.median(np.diff(annotated))) if len(annotated) > 1 else 1


def _region(
    explanation: Explanation, places: Sequence[Box | Mask], box: SeenBox, shape: tuple[int, ...]
) -> np.ndarray:
    """bool (H, W): all regions of a frame, on the grid; small ones keep at least one point."""
    height, width = explanation.geometry.source_height, explanation.geometry.source_width
    pixels = np.zeros((height, width), bool)
    for place in places:
        pixels |= region_pixels(place, height, width)
    left, top, right, bottom = box
    seen = pixels[top:bottom, left:right].astype(np.float32)
    shares = cv2.resize(seen, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shares >= min(0.5, max(float(shares.max()), 1e-6)))
