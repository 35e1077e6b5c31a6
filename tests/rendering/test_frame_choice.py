"""Which frames are shown where not all of them are."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from tests.support.explanations import make_explanation, map_series
from video_cam import Explanation
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.frame_choice import fill, frames_to_look_at, saved_keyframes
from video_cam.video.timeline import Timeline


def clip_of(*maps: list[float], **fields: Any) -> Explanation:
    """A clip at 10 frames per second; the network was given every second frame, from 10 on.

    maps: for each map the values of its one cell at these frames.
    """
    count = len(maps[0])
    frames = 10 + 2 * np.arange(count)
    return make_explanation(
        timeline=Timeline(np.arange(10 + 2 * count), Fraction(1, 10), 1),
        frame_indices=frames[None],
        num_padded=np.zeros(1, np.int64),
        probabilities=np.ones((1, 3), np.float32),
        maps=tuple(
            map_series([values], list(range(count)), target=ClassTarget(number))
            for number, values in enumerate(maps)
        ),
        span=(10, 10 + 2 * count),
        **fields,
    )


def looked_at(explanation: Explanation, count: int, *indices: int) -> list[int]:
    """The chosen positions among the frames that the network was given."""
    found = frames_to_look_at(BlendedMaps(explanation), count, indices or None)
    return [(frame - 10) // 2 for frame in found]


def with_peaks(length: int, **heights: float) -> list[float]:
    """A weak map with larger values at some positions, such as p23=5."""
    values = [0.1] * length
    for name, height in heights.items():
        values[int(name[1:])] = height
    return values


def test_peaks_are_looked_at_and_the_clip_between() -> None:
    found = looked_at(clip_of(with_peaks(100, p23=5, p24=4.9, p70=3)), 6)
    assert {23, 70} <= set(found) and 24 not in found
    assert found == [0, 23, 47, 70, 85, 99]  # the rest divides the time between them evenly


def test_every_map_shows_its_strongest_peak_before_others() -> None:
    first = with_peaks(100, p10=9, p30=8, p55=7)
    second = with_peaks(100, p70=2)
    both = clip_of(first, second)
    assert {10, 70} <= set(looked_at(both, 4))
    assert {10, 30, 70} <= set(looked_at(both, 6)) and 55 not in looked_at(both, 6)
    assert {10, 30, 55} <= set(looked_at(both, 6, 0)) and 70 not in looked_at(both, 6, 0)
    assert 70 in looked_at(both, 1, 1)


def test_one_event_does_not_take_all_places() -> None:
    """Of a clip of 20 s in 5 frames: peaks 2 s apart, not half a second."""
    values = with_peaks(100, p20=9, p25=8, p35=7, p80=3)  # 1 s and 3 s after the strongest
    found = looked_at(clip_of(values), 5)
    assert {20, 35, 80} <= set(found) and 25 not in found
    assert {20, 25, 35, 80} <= set(looked_at(clip_of(values), 20))


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_the_strongest_frame_is_always_looked_at(count: int) -> None:
    values = np.random.default_rng(1).random(97).tolist()
    found = looked_at(clip_of(values), count)
    assert int(np.argmax(values)) in found and found == sorted(set(found)) and len(found) == count


def test_without_peaks_frames_are_evenly_spread() -> None:
    for values in ([0.0] * 50, [-1.0] * 50, [2.0] * 50):
        assert looked_at(clip_of(values), 4) == [0, 16, 33, 49]
    assert looked_at(clip_of([1.0, 3.0, 2.0]), 7) == [0, 1, 2]
    assert looked_at(clip_of([2.0]), 6) == [0] == looked_at(clip_of([0.0]), 1)


def test_all_keyframes_are_saved_where_the_number_is_zero() -> None:
    maps = BlendedMaps(clip_of(with_peaks(50, p20=3)))
    assert saved_keyframes(maps, 0) == maps.explanation.keyframes() == list(range(10, 110, 2))
    assert saved_keyframes(maps, 4) == frames_to_look_at(maps, 4)


def test_frames_are_chosen_from_those_that_are_there() -> None:
    explanation = clip_of(with_peaks(100, p23=5, p24=4.9, p70=3))
    there = [10 + 2 * position for position in (0, 12, 24, 36, 48, 60, 71, 84, 99)]
    found = frames_to_look_at(BlendedMaps(explanation), 4, among=there)
    assert set(found) <= set(there) and 10 + 2 * 24 in found and len(found) == 4
    assert frames_to_look_at(BlendedMaps(explanation), 9, among=there) == there


def test_frames_that_are_enough_are_looked_at_first() -> None:
    frames = [10 + 2 * number for number in (20, 21, 22, 23, 24)]
    test = {
        "frame_indices": frames,
        "contributions": [0.5, 3.0, -1.0, 2.0, 2.5],
        "sufficient_frames": [frames[1], frames[3], frames[4]],
    }
    explanation = clip_of(with_peaks(100, p22=9, p60=5), with_peaks(100, p90=5), frame_test=test)
    found = looked_at(explanation, 10)
    assert {21, 23, 24, 60, 90} <= set(found) and 22 not in found and len(found) == 10
    # At most half of them: the rest of the clip is not left out.
    few = looked_at(explanation, 4)
    assert {21, 24} <= set(few) and 23 not in few and len(few) == 4
    # The test asked about the first map's class only.
    assert not {21, 23, 24} & set(looked_at(explanation, 8, 1))


def reach(shown: tuple[int, ...], length: int) -> int:
    """How far a position is from the nearest one that is shown."""
    return max(min(abs(i - one) for one in shown) for i in range(length))


@pytest.mark.parametrize(
    ("chosen", "length"),
    [((0,), 9), ((3,), 9), ((8,), 9), ((2, 3), 10), ((0, 9), 10), ((4, 7), 12)],
)
def test_gaps_are_filled_as_evenly_as_any_others_could(
    chosen: tuple[int, ...], length: int
) -> None:
    rest = [i for i in range(length) if i not in chosen]
    for more in range(len(rest) + 1):
        found = fill(chosen, length, len(chosen) + more)
        assert found == sorted(set(found)) and set(chosen) <= set(found)
        assert len(found) == len(chosen) + more and found[0] >= 0 and found[-1] < length
        best = min(reach((*chosen, *others), length) for others in combinations(rest, more))
        assert reach(tuple(found), length) <= best + 1  # places at the ends reach the very end
