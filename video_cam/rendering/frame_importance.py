"""How important frames are: what the frame test found of them, else the map's mass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMaps

MAX_SUFFICIENT = 64  # pictures of frames that are enough for the score


def evenly(items: Sequence[int], max_count: int) -> list[int]:
    """At most ``max_count`` of the items, evenly spread, the first and the last among them."""
    if len(items) <= max_count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, max_count).round().astype(int)]


def sufficient_frames(explanation: Explanation) -> list[int]:
    """The frames that the frame test found to be enough, at most MAX_SUFFICIENT of them."""
    result = explanation.frame_test
    return [] if result is None else evenly(result["sufficient_frames"], MAX_SUFFICIENT)


def importance(maps: BlendedMaps, frame_indices: Sequence[int], index: int = 0) -> np.ndarray:
    """How important frames are for a map's target.

    Where the frame test tested this target, the frames that it tested have what they add to the
    score, as a share of the largest contribution, plus 1, and 0 where they add nothing. All other
    frames have the map's mass, as a share of the largest.

    Args:
        maps: of the explanation.
        frame_indices: source frames.
        index: of the map in ``maps``.

    Returns:
        float64 (frames,), at least 0.
    """
    blended = maps[index]
    mass = blended.mass[np.array(frame_indices) - blended.first]
    values = mass / (blended.mass.max() or 1.0)
    added = contributions(maps, index)
    largest = max(added.values(), default=0.0)
    if largest <= 0:
        return values
    for position, frame in enumerate(frame_indices):
        if frame in added:
            values[position] = 1 + added[frame] / largest if added[frame] > 0 else 0.0
    return values


def most_important(maps: BlendedMaps, frame_indices: Sequence[int]) -> int:
    """The frame with the largest importance for the first map, the first of equal ones."""
    return frame_indices[int(importance(maps, frame_indices).argmax())]


def contributions(maps: BlendedMaps, index: int) -> dict[int, float]:
    """Source frame -> what it adds to the score of a map's target; empty without the test."""
    explanation = maps.explanation
    result, tested = explanation.frame_test, explanation.maps[0].target
    if result is None or explanation.maps[index].target != tested:
        return {}
    return dict(zip(result["frame_indices"], result["contributions"], strict=True))
