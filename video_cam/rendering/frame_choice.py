"""Which frames are shown where not all of them are: the peaks of the maps, and the clip between."""

from __future__ import annotations

import heapq
import itertools
import math
from bisect import insort
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.frame_importance import contributions, evenly, importance
from video_cam.rendering.peaks import MIN_SECONDS_APART, is_near, peak_frames


def frames_to_look_at(
    maps: BlendedMaps,
    max_count: int,
    indices: Sequence[int] | None = None,
    among: Sequence[int] | None = None,
) -> list[int]:
    """Some of the frames that the network was given: the peaks of the maps, and the clip between.

    At most half of them, rounded up, are where something happens: the frames that the frame test
    found to be enough for the score, then the peaks of each map (``peak_frames``), the strongest of
    every map before the second strongest of any. These lie at least half a second from all chosen
    before, in long clips at least half as far as evenly spread frames would, so that one event does
    not take all places. The rest divides the time between evenly, so that quiet parts are there.

    Args:
        maps: of the explanation.
        max_count: at most so many frames, at least 1.
        indices: of the maps in ``maps`` whose peaks are looked for; None for all of them.
        among: the frames to choose from, rising; None for all that the network was given.

    Returns:
        Source frame indices, rising.
    """
    frames = maps.explanation.keyframes() if among is None else list(among)
    if len(frames) <= max_count:
        return frames
    of_maps = range(len(maps)) if indices is None else indices
    most = (max_count + 1) // 2
    chosen = _sufficient_first(maps, of_maps, frames)[:most]
    pts = maps.explanation.timeline.pts
    taken = sorted(int(pts[frame]) for frame in chosen)
    apart = _ticks_apart(maps.explanation, max_count)
    for frame in _peaks_in_turn(maps, of_maps, frames):
        if len(chosen) == most:
            break
        if not is_near(taken, int(pts[frame]), apart):
            chosen.append(frame)
            insort(taken, int(pts[frame]))
    if not chosen:
        return evenly(frames, max_count)
    positions = np.searchsorted(frames, sorted(chosen)).tolist()
    return [frames[position] for position in fill(positions, len(frames), max_count)]


def saved_keyframes(maps: BlendedMaps, max_keyframes: int) -> list[int]:
    """The frames of which pictures are saved: all that the network was given where it is 0."""
    count = max_keyframes or len(maps.explanation.keyframes())
    return frames_to_look_at(maps, count)


def fill(chosen: Sequence[int], length: int, count: int) -> list[int]:
    """Chosen positions with others between them, which divide the gaps evenly.

    One after the other, a place is given to the gap in which a position is farthest from the
    nearest one that is shown, of equal gaps to the first. Those at the ends are shown to the end.

    Args:
        chosen: positions in [0, length), rising, at least one and at most ``count``.
        length: how many positions there are, at least ``count``.
        count: how many are returned.

    Returns:
        Positions, rising.
    """
    gaps = [_Gap(-1, chosen[0], True, False)]
    gaps += [_Gap(*pair, False, False) for pair in itertools.pairwise(chosen)]
    gaps += [_Gap(chosen[-1], length, False, True)]
    places = [0] * len(gaps)
    farthest = [(-gap.farthest(0), number) for number, gap in enumerate(gaps)]
    heapq.heapify(farthest)
    for _ in range(count - len(chosen)):
        _, number = farthest[0]
        places[number] += 1
        heapq.heapreplace(farthest, (-gaps[number].farthest(places[number]), number))
    between = [gap.spread(many) for gap, many in zip(gaps, places, strict=True)]
    return sorted(itertools.chain(chosen, *between))


class _Gap(NamedTuple):
    """Positions between two that are shown, or, where it is at an end, between one and the end."""

    before: int
    after: int
    is_first: bool
    is_last: bool

    def farthest(self, places: int) -> float:
        """How far a position is from the nearest one that is shown, with so many in the gap."""
        if not (self.is_first or self.is_last):
            return (self.after - self.before) / (2 * places + 2)
        return (self.after - self.before - 1) / max(2 * places, 1)

    def spread(self, places: int) -> list[int]:
        """So many positions of the gap, evenly spread."""
        low, high = self.before + self.is_first, self.after - self.is_last
        ends = np.linspace(low, high, places + 2 - self.is_first - self.is_last)
        inner = ends[not self.is_first : len(ends) - (not self.is_last)]
        return np.floor(inner + 0.5).astype(int).tolist()


def _sufficient_first(maps: BlendedMaps, indices: Sequence[int], among: Sequence[int]) -> list[int]:
    """Frames that are enough for the score of one of these maps' targets, most important first."""
    tested = next((index for index in indices if contributions(maps, index)), None)
    if tested is None:
        return []
    assert maps.explanation.frame_test is not None
    frames = np.intersect1d(among, maps.explanation.frame_test["sufficient_frames"]).astype(int)
    values = importance(maps, frames.tolist(), tested)
    return frames[np.argsort(-values, kind="stable")].tolist()


def _peaks_in_turn(
    maps: BlendedMaps, indices: Sequence[int], among: Sequence[int]
) -> Iterator[int]:
    """The strongest peak of every map in order, then the second strongest of each, and so on."""
    of_maps = [peak_frames(maps.explanation, maps[index], among) for index in indices]
    for ranked in itertools.zip_longest(*of_maps):
        yield from (frame for frame in ranked if frame is not None)


def _ticks_apart(explanation: Explanation, max_count: int) -> int:
    """The least time between two peaks where ``max_count`` frames are shown, in ticks."""
    timeline, (first, stop) = explanation.timeline, explanation.span
    ticks = int(timeline.pts[stop - 1] - timeline.pts[first])
    half_a_step = Fraction(ticks, 2 * max_count)
    return math.ceil(max(half_a_step, MIN_SECONDS_APART / timeline.time_base))
