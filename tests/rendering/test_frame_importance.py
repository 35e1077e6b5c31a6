"""How important frames are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.frame_importance import evenly, importance, most_important


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (20, list(range(10)))]
)
def test_evenly_spread_items(count: int, expected: list[int]) -> None:
    assert evenly(range(10), count) == expected


class Masses:
    """Maps of which only the mass is known, of a clip whose keyframes are every second frame."""

    def __init__(self, mass: list[float], frame_test: dict[str, Any] | None = None) -> None:
        series = SimpleNamespace(target=ClassTarget(0))
        self.explanation = SimpleNamespace(
            keyframes=lambda: list(range(10, 10 + 2 * len(mass), 2)),
            frame_test=frame_test,
            maps=(series,),
        )
        spread = np.repeat(np.array(mass, float), 2)
        self._map = SimpleNamespace(mass=spread, first=10)

    def __getitem__(self, index: int) -> Any:
        return self._map


def frame_test(contributions: list[float], enough: list[int]) -> dict[str, Any]:
    """A frame test of the keyframes from number 20 on; ``enough``: their numbers."""
    frames = [10 + 2 * (20 + number) for number in range(len(contributions))]
    return {
        "frame_indices": frames,
        "contributions": contributions,
        "sufficient_frames": [10 + 2 * number for number in enough],
    }


def test_importance_is_what_frames_add_where_that_was_tested() -> None:
    maps = Masses([1.0] * 30 + [4.0] + [1.0] * 9, frame_test([0.5, 2.0, -1.0], [21]))
    numbers = [19, 20, 21, 22, 30]
    found = importance(maps, [10 + 2 * number for number in numbers])
    assert found == pytest.approx([0.25, 1.25, 2.0, 0.0, 1.0])
    assert most_important(maps, [10 + 2 * number for number in numbers]) == 10 + 2 * 21
    # Frames that add nothing do not hide where the map is strong.
    flat = Masses([1.0] * 30 + [4.0] + [1.0] * 9, frame_test([0.0, 0.0], []))
    assert most_important(flat, [10 + 2 * number for number in numbers]) == 10 + 2 * 30
