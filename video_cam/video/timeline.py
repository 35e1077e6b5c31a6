"""Time stamps of a clip's frames: exact rational arithmetic, no file access."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

# How long a frame is shown if the file does not say: a still image, or a clip's last frame.
STILL_SECONDS = Fraction(1, 25)
# AVI has no presentation stamps, so those of B-frames leave the decoder a few places out of order.
# Stamps are sorted within this many frames: few enough to hold them in memory.
REORDER_DEPTH = 4


@dataclass(frozen=True, eq=False)
class Timeline:
    """The time stamps of a clip's frames in presentation order.

    Frame i is shown from ``pts[i]`` until ``pts[i + 1]``, the last one for ``last_duration``.

    Attributes:
        pts: (F,) int64, strictly increasing, in ticks; tick 0 is the container's start.
        time_base: seconds per tick.
        last_duration: how long the last frame is shown, at least 1 tick.
    """

    pts: np.ndarray
    time_base: Fraction
    last_duration: int

    def __post_init__(self) -> None:
        pts = np.array(self.pts, dtype=np.int64)  # a copy, which is made read-only below
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
        """A timeline whose last duration may be unknown.

        Args:
            pts: strictly increasing ticks.
            time_base: seconds per tick.
            last_duration: in ticks; None or 0 takes the median frame duration, and 1/25 s for a
                single frame.
        """
        stamps = np.array(list(pts), dtype=np.int64)
        if not last_duration or last_duration < 1:
            durations = np.diff(stamps)
            usual = float(np.median(durations)) if durations.size else STILL_SECONDS / time_base
            last_duration = max(1, round(usual))
        return cls(stamps, time_base, last_duration)

    @property
    def num_frames(self) -> int:
        """How many frames the clip has."""
        return len(self.pts)

    def pts_seconds(self, index: int) -> Fraction:
        """When frame ``index`` appears, in exact seconds."""
        return int(self.pts[index]) * self.time_base

    def duration_ticks(self, index: int) -> int:
        """How long frame ``index``, from 0 to num_frames - 1, is shown, in ticks."""
        if index == self.num_frames - 1:
            return self.last_duration
        return int(self.pts[index + 1] - self.pts[index])

    def frame_end_seconds(self, index: int) -> Fraction:
        """When frame ``index``, from 0 to num_frames - 1, disappears, in exact seconds."""
        return (int(self.pts[index]) + self.duration_ticks(index)) * self.time_base

    @property
    def end_ticks(self) -> int:
        """When the last frame disappears, in ticks."""
        return int(self.pts[-1]) + self.last_duration

    @property
    def end_seconds(self) -> Fraction:
        """When the last frame disappears, in exact seconds."""
        return self.end_ticks * self.time_base

    @property
    def duration_seconds(self) -> Fraction:
        """From the first frame's appearance to the last frame's end, in exact seconds."""
        return self.end_seconds - self.pts_seconds(0)

    @property
    def frame_rate(self) -> Fraction:
        """Average frames per second."""
        return self.num_frames / self.duration_seconds


def repair_stamps(stamps: Iterable[int | None], step: int, start: int = 0) -> Iterator[int]:
    """Make time stamps strictly increasing.

    Stamps that are out of order within REORDER_DEPTH frames are sorted. A stamp that is missing,
    or not above the one before it, becomes the one before plus ``step``. A repeated stamp goes
    halfway to the next one where that is known and no further away, so that no later frame moves.

    Args:
        stamps: ticks of the frames in decoded order, None where a frame has no stamp.
        step: the usual frame duration in ticks.
        start: the stamp of a first frame that has none.

    Returns:
        One stamp for each given one.
    """
    pending: list[int] = []  # a heap
    last: int | None = None
    for stamp in stamps:
        if stamp is None:
            before = max(pending, default=last)
            stamp = start if before is None else before + step
        heapq.heappush(pending, stamp)
        if len(pending) > REORDER_DEPTH:
            last = _stamp_after(last, heapq.heappop(pending), step, pending)
            yield last
    while pending:
        last = _stamp_after(last, heapq.heappop(pending), step, pending)
        yield last


def _stamp_after(last: int | None, stamp: int, step: int, pending: Iterable[int]) -> int:
    """``stamp`` itself if it is above ``last``, else a repaired one."""
    if last is None or stamp > last:
        return stamp
    following = min((later for later in pending if later > last), default=last + 2 * step)
    is_repeated = stamp > last - step  # otherwise the recording's stamps start again
    return last + max(
        1, (following - last) // 2 if is_repeated and following <= last + step else step
    )
