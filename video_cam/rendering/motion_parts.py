"""The parts of the first map by motion and by appearance, to be drawn beside it on the page."""

from __future__ import annotations

from typing import Any

from video_cam.rendering.blended_maps import BlendedMap, BlendedMaps
from video_cam.rendering.page.map_data import describe_map

OUTSIDE = "outside the window of the motion test"


def motion_parts(maps: BlendedMaps) -> list[BlendedMap]:
    """The parts at every frame of the tested windows; empty without a motion test.

    Full heat is that of the first map, so that a small part looks small.
    """
    explanation = maps.explanation.of_parts()
    if explanation is None:
        return []
    parts = [BlendedMap(explanation, index) for index in range(len(explanation.maps))]
    for part in parts:
        part.peak, part.window_peaks = maps[0].peak, maps[0].window_peaks
    return parts


def describe_parts(maps: BlendedMaps, parts: list[BlendedMap]) -> list[dict[str, Any]]:
    """What the page knows of the parts: as ``describe_map``, among the maps of the first target."""
    whole = describe_map(maps.explanation, maps[0])
    of_target = {name: whole[name] for name in ("class_id", "label", "window_labels")}
    explanation = maps.explanation.of_parts()
    if explanation is None:
        return []
    return [
        describe_map(explanation, part) | of_target | {"is_part": True, "unseen": OUTSIDE}
        for part in parts
    ]
