"""When the frames of a clip are shown: exact rational stamps, no I/O."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

# How long a frame shows when nothing in the file says: the last one of a clip, or a still.
STILL_SECONDS = Fraction(1, 25)
# AVI knows no presentation stamps, so B-frames' come out of the decoder in the wrong order, a few
# places off. A repair looks so many frames ahead: few enough to hold them.
LOOKAHEAD = 4


@dataclass(frozen=True, eq=False)
class Timeline:
    """The stamps of a clip's frames in presentation order; frame i shows until frame i + 1.

    pts            (F,) int64, strictly increasing ticks; tick 0 is the container's start
    time_base      seconds per tick
    last_duration  ticks the last frame shows, at least 1
    """

    pts: np.ndarray
    time_base: Fraction
    last_duration: int

    def __post_init__(self) -> None:
        pts = np.array(self.pts, dtype=np.int64)  # a copy, so that freezing it is ours to do
        if pts.ndim != 1 or pts.size == 0 or (np.diff(pts) <= 0).any():
            raise ValueError("pts must be one strictly increasing row of at least one tick")
        if self.time_base <= 0 or self.last_duration < 1:
            raise ValueError(
                f"time_base {self.time_base} must be above 0 and last_duration "
                f"{self.last_duration} at least 1 tick"
            )
        pts.flags.writeable = False
        object.__setattr__(self, "pts", pts)

    @classmethod
    def from_stamps(
        cls, pts: Iterable[int], time_base: Fraction, last_duration: int | None
    ) -> Timeline:
        """A timeline whose last duration, if unknown, is the median spacing, else 1/25 s."""
        stamps = np.array(list(pts), dtype=np.int64)
        if not last_duration or last_duration < 1:
            spacing = np.diff(stamps)
            usual = float(np.median(spacing)) if spacing.size else STILL_SECONDS / time_base
            last_duration = max(1, round(usual))
        return cls(stamps, time_base, last_duration)

    @property
    def num_frames(self) -> int:
        return len(self.pts)

    def pts_seconds(self, index: int) -> Fraction:
        """When frame `index` appears, in exact seconds."""
        return int(self.pts[index]) * self.time_base

    def duration_ticks(self, index: int) -> int:
        """How long frame `index` (0 <= index < num_frames) shows, in ticks."""
        if index == self.num_frames - 1:
            return self.last_duration
        return int(self.pts[index + 1] - self.pts[index])

    @property
    def end_seconds(self) -> Fraction:
        """When the last frame goes, in exact seconds."""
        return (int(self.pts[-1]) + self.last_duration) * self.time_base

    @property
    def duration_seconds(self) -> Fraction:
        """From the first frame's appearance to the last frame's end, in exact seconds."""
        return self.end_seconds - self.pts_seconds(0)

    @property
    def frame_rate(self) -> Fraction:
        """Average frames per second."""
        return self.num_frames / self.duration_seconds

    @property
    def is_constant_rate(self) -> bool:
        """Whether every stamp is less than one tick off an even spacing.

        A tick, because containers round: 30 frames per second is 33, 34, 33 ms in Matroska.
        """
        even = np.linspace(float(self.pts[0]), float(self.pts[-1]), self.num_frames)
        return bool(np.abs(self.pts - even).max() < 1)

    def same_stamps(self, other: Timeline) -> bool:
        """Whether both hold the same frames: as many, at the same exact times."""
        return self.time_base == other.time_base and np.array_equal(self.pts, other.pts)


def increasing(stamps: Iterable[int | None], step: int, start: int = 0) -> Iterator[int]:
    """Strictly increasing ticks, one for each stamp given in presentation order.

    Stamps that changed places within LOOKAHEAD are put in order. One that is missing or not
    above the one before becomes that one + `step` ticks, and `start` where none is before; where
    the next is known and no later than that, a repeated one comes halfway to it and delays nobody.
    """
    ahead: list[int] = []
    last: int | None = None
    for stamp in stamps:
        if stamp is None:
            before = max(ahead, default=last)
            stamp = start if before is None else before + step
        heapq.heappush(ahead, stamp)
        if len(ahead) > LOOKAHEAD:
            last = _after(last, heapq.heappop(ahead), step, ahead)
            yield last
    while ahead:
        last = _after(last, heapq.heappop(ahead), step, ahead)
        yield last


def _after(last: int | None, stamp: int, step: int, ahead: Iterable[int]) -> int:
    if last is None or stamp > last:
        return stamp
    following = min((later for later in ahead if later > last), default=last + 2 * step)
    is_repeated = stamp > last - step  # and not one of a recording that starts again
    return last + max(
        1, (following - last) // 2 if is_repeated and following <= last + step else step
    )
