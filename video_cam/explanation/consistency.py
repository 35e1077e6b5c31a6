"""Whether the fields of an Explanation fit each other, so that nothing draws a wrong map of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from video_cam.choice_names import ALIGNMENT_NAMES, DETAIL_NAMES, SAMPLING_MODES, SCORE_KINDS
from video_cam.explanation.map_series import ClassTarget, MapSeries, MapTarget
from video_cam.explanation.quantised_maps import QuantisedMaps

if TYPE_CHECKING:
    from video_cam.explanation.explanation import Explanation

NUM_PARTS = 2  # motion and appearance
_MAX_SIDE = 2**31 - 1  # pixels
_MAX_TICKS = 2**61  # differences of two time stamps stay within 64 bits
_ROUNDING = 1e-3  # of probabilities in half precision


def problems(explanation: Explanation) -> Iterator[str]:
    """What does not fit, in a few words each; take the first, as later ones may follow from it."""
    yield from _problems_of_clip(explanation)
    yield from _problems_of_windows(explanation)
    yield from _problems_of_scores(explanation)
    yield from _problems_of_frame_test(explanation)
    for series in explanation.maps:
        yield from _problems_of_target(explanation, series)
        yield from _problems_of_maps(explanation, series)
    if not explanation.maps:
        yield "there is no map"
    yield from _problems_of_parts(explanation)


def _problems_of_parts(explanation: Explanation) -> Iterator[str]:
    parts, num_windows = explanation.motion_maps, explanation.num_windows
    if parts is None:
        return
    windows = parts.windows
    is_rising = all(a < b for a, b in pairwise(windows))
    if not windows or not is_rising or not 0 <= windows[0] <= windows[-1] < num_windows:
        yield "the windows of the motion test are not windows of the clip"
    if len(parts.maps) != NUM_PARTS:
        yield "a map has other parts than motion and appearance"
    of_parts = explanation.of_parts()
    assert of_parts is not None  # there are parts
    for series in parts.maps:
        yield from _problems_of_target(of_parts, series)
        yield from _problems_of_maps(of_parts, series)


def _problems_of_frame_test(explanation: Explanation) -> Iterator[str]:
    result = explanation.frame_test
    if result is None:
        return
    first, stop = explanation.span
    if not all(first <= frame < stop for frame in result["frame_indices"]):
        yield "a frame of the frame test lies outside the span"
    num_windows, windows = explanation.num_windows, result["windows"]
    if result["window"] >= num_windows or (
        windows is not None and len(windows["contributions"]) != num_windows
    ):
        yield "the windows of the frame test are not those of the clip"


def _problems_of_clip(explanation: Explanation) -> Iterator[str]:
    clip, geometry, timeline = explanation.clip, explanation.geometry, explanation.timeline
    if not _are_sizes(clip.width, clip.height) or not _are_sizes(*vars(geometry).values(), least=0):
        yield "a size is not a number of pixels"
    if (geometry.source_width, geometry.source_height) != (clip.width, clip.height):
        yield "the geometry is of frames of another size"
    is_inside = (
        geometry.crop_height > 0
        and geometry.crop_width > 0
        and geometry.crop_top + geometry.crop_height <= geometry.resized_height
        and geometry.crop_left + geometry.crop_width <= geometry.resized_width
    )
    if not is_inside:
        yield "the input lies outside the frame"
    rates = (clip.frame_rate, clip.sample_aspect_ratio, explanation.model.frame_rate)
    if min(rates) <= 0 or clip.num_frames < 1 or clip.duration_seconds < 0:
        yield "a rate or length of the clip is not above 0"
    ends = (int(timeline.pts[0]), int(timeline.pts[-1]), timeline.last_duration)
    if max(map(abs, ends)) > _MAX_TICKS:
        yield "a time stamp is too large"
    first, stop = explanation.span
    if not 0 <= first < stop <= timeline.num_frames:
        yield f"the span {first} ... {stop} is not one of {timeline.num_frames} frames"
    options = explanation.options
    if options.get("sampling", SAMPLING_MODES[0]) not in SAMPLING_MODES:
        yield "the kind of sampling is unknown"
    if options.get("align", ALIGNMENT_NAMES[0]) not in ALIGNMENT_NAMES:
        yield "the kind of alignment is unknown"


def _problems_of_windows(explanation: Explanation) -> Iterator[str]:
    frames, padded = explanation.frame_indices, explanation.num_padded
    if frames.dtype != np.int64 or frames.ndim != 2 or 0 in frames.shape:
        yield "the windows are not rows of frames"
    num_windows, length = frames.shape
    if length != explanation.model.num_frames:
        yield "the windows have another length than the network's input"
    first, stop = explanation.span
    if frames.min() < first or frames.max() >= stop:
        yield "a window shows frames outside the span"
    if not _is_rising(frames, axis=1) or not _is_rising(frames[:, [0, -1]], axis=0):
        yield "the windows are not in order of time"
    if not _is(padded, np.int64, num_windows) or padded.min() < 0 or padded.max() >= length:
        yield "the numbers of padded frames do not fit the windows"
    yield from _problems_of_scenes(explanation)


def _problems_of_scenes(explanation: Explanation) -> Iterator[str]:
    if not explanation.scenes:
        return
    scenes = np.array(explanation.scenes, object)
    edges = scenes.reshape(-1)
    first, stop = explanation.span
    is_ordered = all(a < b for a, b in explanation.scenes) and _is_rising(edges, axis=0)
    if not is_ordered or edges[0] < first or edges[-1] > stop:
        yield "the scenes are not parts of the span in order of time"
    starts, stops = scenes.astype(np.int64).T
    scene = np.searchsorted(starts, explanation.frame_indices[:, 0], side="right") - 1
    if scene.min() < 0 or (explanation.frame_indices[:, -1] >= stops[scene]).any():
        yield "a window is not within one scene"


def _problems_of_scores(explanation: Explanation) -> Iterator[str]:
    scores, functions = explanation.probabilities, explanation.function_scores
    num_windows, kind = explanation.num_windows, explanation.model.score
    if not (explanation.labels or explanation.functions) or kind not in SCORE_KINDS:
        yield "there are no classes, or scores of an unknown kind"
    if not _is(scores, np.float32, num_windows, len(explanation.labels)):
        yield "the scores do not fit the windows and classes"
    if not np.isfinite(scores).all():
        yield "a score is not a finite number"
    # Without classes there is no score.
    lowest, highest = scores.min(initial=0), scores.max(initial=0)
    if kind != "raw" and (lowest < -_ROUNDING or highest > 1 + _ROUNDING):
        yield "a probability is not between 0 and 1"
    names = explanation.functions
    is_empty = not names and functions.size == 0
    if not is_empty and not _is(functions, np.float32, num_windows, len(names)):
        yield "the scores of functions do not fit the windows"
    if not np.isfinite(functions).all():
        yield "the score of a function is not a finite number"


def _problems_of_target(explanation: Explanation, series: MapSeries) -> Iterator[str]:
    own = series.class_ids
    if not all(_is_known(explanation, t) for t in (series.target, *map(ClassTarget, own))):
        yield "a map is of a class that the network does not have"
    counts = Counter(own)
    if own and (
        len(own) != explanation.num_windows
        or series.class_id is None
        or counts[series.class_id] < max(counts.values())
    ):
        yield "the classes of a map do not fit the windows"


def _problems_of_maps(explanation: Explanation, series: MapSeries) -> Iterator[str]:
    num_windows, length = explanation.frame_indices.shape
    centres = (series.centres.t, series.centres.y, series.centres.x)
    for one in centres:
        is_row = one.dtype == np.float64 and one.ndim == 1 and one.size > 0
        if not is_row or not np.isfinite(one).all() or not _is_rising(one, axis=0):
            yield "the cells of a map have no positions in order"
    if series.detail not in DETAIL_NAMES:
        yield "the detail of a map is unknown"
    shape: tuple[int, ...] = (num_windows, *series.centres.grid)
    if isinstance(series.values, QuantisedMaps):
        levels, numbers = series.values.levels, series.values.scales
        fits = _is(levels, np.int8, *shape) and _is(numbers, np.float32, num_windows)
        fits = fits and not (numbers < 0).any()
        if series.bias is not None and series.contributions is None:
            yield "what the frames add to the logit is missing"
    else:
        numbers, fits = series.values, _is(series.values, np.float32, *shape)
    if not fits:
        yield "a map does not fit its windows and cells"
    if not np.isfinite(numbers).all():
        yield "a map holds a value that is not a finite number"
    for scores, shape in (
        (series.frame_scores, (num_windows, length)),
        (series.contributions, (num_windows, length)),
        (series.logits, (num_windows,)),
    ):
        if scores is None:
            continue
        if not _is(scores, np.float32, *shape) or not np.isfinite(scores).all():
            yield "the scores of a map do not fit its windows"


def _is_known(explanation: Explanation, target: MapTarget) -> bool:
    if isinstance(target, ClassTarget):
        return 0 <= target.class_id < len(explanation.labels)
    return 0 <= target.number < len(explanation.functions)


def _is(array: np.ndarray, dtype: type, *shape: int) -> bool:
    return array.dtype == dtype and array.shape == shape


def _is_rising(array: np.ndarray, axis: int) -> bool:
    return bool((np.diff(array, axis=axis) >= 0).all())


def _are_sizes(*values: int, least: int = 1) -> bool:
    return all(least <= value <= _MAX_SIDE for value in values)
