"""The parts of the first map by motion and by appearance, to be drawn beside it on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMap, BlendedMaps
from video_cam.rendering.curves import shorten
from video_cam.rendering.page.map_data import MAX_CURVE_POINTS, describe_map
from video_cam.rendering.page.script_data import pack_levels

OUTSIDE = "outside the window of the motion test"
# Samples before the first and after the last one of a window; blending reaches for one.
_REACH = 2


def motion_parts(maps: BlendedMaps) -> list[BlendedMap]:
    """The parts at every frame near the tested windows; empty without a motion test.

    Full heat is that of the first map, so that a small part looks small.
    """
    explanation = maps.explanation.of_parts()
    if explanation is None:
        return []
    explanation = replace(explanation, span=_near(explanation))
    parts = [BlendedMap(explanation, index) for index in range(len(explanation.maps))]
    whole, (first, stop) = maps[0], explanation.span
    for part in parts:
        part.peak = whole.peak
        part.window_peaks = whole.window_peaks[first - whole.first : stop - whole.first]
    return parts


def describe_parts(maps: BlendedMaps, parts: Sequence[BlendedMap]) -> list[dict[str, Any]]:
    """What the page knows of the parts: as ``describe_map``, among the maps of the first target."""
    explanation, whole = maps.explanation, describe_map(maps.explanation, maps[0])
    shared = {name: whole[name] for name in ("class_id", "label", "window_labels")}
    shared |= {"is_part": True, "unseen": OUTSIDE}
    described = []
    for part in parts:
        mass = np.zeros_like(maps[0].mass)  # of every frame of the clip, for the scrub bar
        mass[part.first - maps[0].first :][: len(part.mass)] = part.mass
        curve = pack_levels(shorten(mass, np.max, MAX_CURVE_POINTS))
        own = describe_map(explanation, part)
        described.append(own | shared | {"mass": curve})
    return described


def _near(explanation: Explanation) -> tuple[int, int]:
    """The source frames [first, stop) from which blending may take something of the windows."""
    seconds = explanation.sample_seconds
    lengths = (seconds[:, -1] - seconds[:, 0]) / max(seconds.shape[1] - 1, 1)
    reach = _REACH * max(float(lengths.max()), float(1 / explanation.model.frame_rate))
    stamps = explanation.timeline.pts * float(explanation.timeline.time_base)
    first = int(np.searchsorted(stamps, seconds.min() - reach))
    stop = int(np.searchsorted(stamps, seconds.max() + reach, side="right"))
    return max(first, explanation.span[0]), min(stop, explanation.span[1])
