"""Choose the frames that the network sees. Exact integer and Fraction arithmetic; reads no file.

A clip of 10 frames, a network of 4 frames at every second frame, window_stride 1 (in samples):

    frame     0 1 2 3 4 5 6 7 8 9
    grid      x   x   x   x   x       one sample every 1 / frame_rate seconds from the first frame
    window 0  ^   ^   ^   ^
    window 1      ^   ^   ^   ^       starts one sample later
    window 2        ^   ^   ^   ^     ends on the last frame, even where that is not on the grid
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from video_cam.errors import UsageError
from video_cam.video.timeline import Timeline

# Matroska rounds time stamps to milliseconds. The frame that should be shown at a sample's time
# may be stamped half a millisecond later, and the first frame half a millisecond too early.
STAMP_TOLERANCE_SECONDS = Fraction(1, 1000)


@dataclass(frozen=True)
class Window:
    """The source frames of one network input.

    Attributes:
        frame_indices: N source frame indices in order of time; a frame may be repeated.
        num_padded: how many of the N samples repeat frames because there are too few.
    """

    frame_indices: tuple[int, ...]
    num_padded: int = 0


@dataclass(frozen=True)
class FrameSpan:
    """Consecutive source frames.

    Attributes:
        first: index of the first frame.
        stop: index after the last frame.
    """

    first: int
    stop: int


def span_of(
    timeline: Timeline, start_seconds: float | None = None, end_seconds: float | None = None
) -> FrameSpan:
    """The frames whose time stamp is in [start, end) seconds; None for the clip's own.

    Where a single frame is shown from start to end, it is that one.

    Raises:
        UsageError: where no frame is shown then, or the end comes before the start.
    """
    if start_seconds is not None and end_seconds is not None and end_seconds < start_seconds:
        raise UsageError(
            f"the end, {end_seconds} s, comes before the start, {start_seconds} s: swap them, or "
            "leave one out"
        )
    start = _to_ticks(timeline, start_seconds)
    end = _to_ticks(timeline, end_seconds)
    first = 0 if start is None else int(np.searchsorted(timeline.pts, start, side="left"))
    stop = timeline.num_frames
    if end is not None:
        stop = int(np.searchsorted(timeline.pts, end, side="left"))
    if first >= stop and (shown := _frame_during(timeline, start_seconds, end_seconds)) is not None:
        return FrameSpan(shown, shown + 1)
    if first >= stop:
        raise UsageError(
            f"no frame between {start_seconds or 0} s and "
            f"{'the end' if end_seconds is None else f'{end_seconds} s'}: the clip runs from "
            f"{float(timeline.pts_seconds(0)):.3f} s to "
            f"{float(timeline.end_seconds):.3f} s"
        )
    return FrameSpan(first, stop)


def sample_windows(
    timeline: Timeline,
    span: FrameSpan,
    *,
    num_frames: int,
    frame_rate: Fraction | None,
    window_stride: int,
) -> list[Window]:
    """Windows of samples that are evenly spaced in time; a sample is the frame shown at its time.

    Args:
        span: the frames to sample. A span shorter than a window is padded with its last frame.
        num_frames: samples in a window.
        frame_rate: samples per second; None for every frame.
        window_stride: samples from one window's start to the next.

    Returns:
        Windows in order of time; the last one ends on the span's last frame. Of the windows that
        show nothing but the same frame, which is shown for long, the first one.

    Raises:
        UsageError: for numbers below 1.
    """
    if num_frames < 1 or window_stride < 1:
        raise UsageError(
            f"num_frames {num_frames} and window_stride {window_stride} must be 1 or more"
        )
    forward = _grid(timeline, span, frame_rate)
    last = span.stop - 1
    length = num_samples(timeline, span, frame_rate)
    if length < num_frames:
        shown = [forward(k) for k in range(length)]
        # The padding shows the last frame, which may come after the grid's last sample.
        return [Window((*shown, *[last] * (num_frames - length)), num_frames - length)]
    windows = []
    begin = 0
    while begin + num_frames <= length:
        frames = tuple(forward(k) for k in range(begin, begin + num_frames))
        windows.append(Window(frames))
        begin += window_stride
        if frames[0] == frames[-1] < last:
            # The first window that shows more than this frame, which may last for hours.
            following = _first_sample_of(timeline, span, frame_rate, frames[0] + 1)
            missing = following - num_frames + 1 - begin
            begin += max(-(-missing // window_stride), 0) * window_stride
    if windows[-1].frame_indices[-1] != last:
        backward = _grid_to_end(timeline, span, frame_rate)
        windows.append(Window(tuple(backward(num_frames - 1 - k) for k in range(num_frames))))
    return windows


def sample_uniform(timeline: Timeline, span: FrameSpan, *, num_frames: int) -> list[Window]:
    """One window of ``num_frames`` samples, each in the middle of an equal part of the span.

    Raises:
        UsageError: for ``num_frames`` below 1.
    """
    if num_frames < 1:
        raise UsageError(f"num_frames {num_frames} must be 1 or more")
    first = int(timeline.pts[span.first])
    end = _end_tick(timeline, span)
    ticks = [first + (2 * k + 1) * (end - first) // (2 * num_frames) for k in range(num_frames)]
    frames = tuple(_shown_at(timeline, span, tick) for tick in ticks)
    available = span.stop - span.first
    return [Window(frames, max(num_frames - available, 0))]


def num_samples(timeline: Timeline, span: FrameSpan, rate: Fraction | None) -> int:
    """The number of samples from the span's first frame to its last one's time stamp."""
    if rate is None:
        return span.stop - span.first
    ticks = int(timeline.pts[span.stop - 1] - timeline.pts[span.first])
    return _floor((ticks + _tolerance_ticks(timeline)) / _step_ticks(timeline, rate)) + 1


def _grid(timeline: Timeline, span: FrameSpan, rate: Fraction | None) -> Callable[[int], int]:
    """Sample number -> source frame, counted from the span's first frame."""
    if rate is None:
        return lambda k: span.first + k
    step = _step_ticks(timeline, rate)
    start = int(timeline.pts[span.first]) + _tolerance_ticks(timeline)
    return lambda k: _shown_at(timeline, span, _floor(start + k * step))


def _first_sample_of(timeline: Timeline, span: FrameSpan, rate: Fraction | None, frame: int) -> int:
    """The number of the first sample that shows ``frame`` or a later one; see ``_grid``."""
    if rate is None:
        return frame - span.first
    ticks = int(timeline.pts[frame] - timeline.pts[span.first]) - _tolerance_ticks(timeline)
    return -_floor(-ticks / _step_ticks(timeline, rate))


def _grid_to_end(
    timeline: Timeline, span: FrameSpan, rate: Fraction | None
) -> Callable[[int], int]:
    """Sample number -> source frame, counted back from the span's last frame."""
    if rate is None:
        return lambda k: span.stop - 1 - k
    step = _step_ticks(timeline, rate)
    end = int(timeline.pts[span.stop - 1]) + _tolerance_ticks(timeline)
    return lambda k: _shown_at(timeline, span, _floor(end - k * step))


def _shown_at(timeline: Timeline, span: FrameSpan, tick: int) -> int:
    """The frame of the span that is shown at ``tick``."""
    frame = bisect_right(timeline.pts, tick, lo=span.first, hi=span.stop) - 1
    return max(frame, span.first)


def _end_tick(timeline: Timeline, span: FrameSpan) -> int:
    return int(timeline.pts[span.stop]) if span.stop < timeline.num_frames else timeline.end_ticks


def _step_ticks(timeline: Timeline, rate: Fraction) -> Fraction:
    return 1 / (rate * timeline.time_base)


def _tolerance_ticks(timeline: Timeline) -> Fraction:
    return STAMP_TOLERANCE_SECONDS / timeline.time_base


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def _frame_during(timeline: Timeline, start: float | None, end: float | None) -> int | None:
    """The frame that is shown from ``start`` to ``end`` in seconds, None where none is."""
    if start is None or (end is not None and end <= start):
        return None
    ticks = _floor(_exact_ticks(timeline, start))
    is_shown = timeline.pts[0] <= ticks < timeline.end_ticks
    return int(np.searchsorted(timeline.pts, ticks, side="right")) - 1 if is_shown else None


def _to_ticks(timeline: Timeline, seconds: float | None) -> int | None:
    """The first tick at or after ``seconds``."""
    return None if seconds is None else -_floor(-_exact_ticks(timeline, seconds))


def _exact_ticks(timeline: Timeline, seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(1_000_000) / timeline.time_base
