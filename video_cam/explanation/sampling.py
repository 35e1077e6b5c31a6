"""Which frames of a clip the network sees. Integer and Fraction arithmetic; no file is touched.

A clip of 10 frames, a network of 4 frames at every second frame, window_stride 2 (in samples):

    frame     0 1 2 3 4 5 6 7 8 9
    grid      x   x   x   x   x       every 1 / frame_rate seconds from the first frame on
    window 0  ^   ^   ^   ^
    window 1      ^   ^   ^   ^   <-  starts two samples later
    window 2        ^   ^   ^   ^     ends on the last frame, off the grid if it must
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError, UsageError
from video_cam.video.timeline import Timeline

# Matroska rounds time stamps to milliseconds: a frame due at a sample's instant may be stamped
# half a millisecond after it, and the grid's own start may be half a millisecond early.
STAMP_TOLERANCE_SECONDS = Fraction(1, 1000)


@dataclass(frozen=True)
class Window:
    """One input of the network: source frame indices (N,) in order of time.

    num_padded: how many samples at the end repeat the last frame because the clip was too short.
    """

    frame_indices: tuple[int, ...]
    num_padded: int = 0


@dataclass(frozen=True)
class Span:
    """The frames [first, stop) of a clip that are looked at."""

    first: int
    stop: int


def span_of(
    timeline: Timeline, start_seconds: float | None = None, end_seconds: float | None = None
) -> Span:
    """Frames whose time stamp lies in [start, end) seconds. Raises UsageError where none does."""
    start = _to_ticks(timeline, start_seconds)
    end = _to_ticks(timeline, end_seconds)
    first = 0 if start is None else int(np.searchsorted(timeline.pts, start, side="left"))
    stop = timeline.num_frames
    if end is not None:
        stop = int(np.searchsorted(timeline.pts, end, side="left"))
    if first >= stop:
        raise UsageError(
            f"no frame between {start_seconds or 0} s and "
            f"{'the end' if end_seconds is None else f'{end_seconds} s'}: the clip runs from "
            f"{float(timeline.pts_seconds(0)):.3f} s to "
            f"{float(timeline.pts_seconds(timeline.num_frames - 1)):.3f} s"
        )
    return Span(first, stop)


def sample_windows(
    timeline: Timeline,
    span: Span,
    *,
    num_frames: int,
    frame_rate: Fraction | None,
    window_stride: int,
    max_samples: int = LimitsConfig.max_frames,
) -> list[Window]:
    """Windows of ``num_frames`` samples at ``frame_rate`` (None: every frame), in order of time.

    A window starts every ``window_stride`` samples; the last one ends on the span's last frame. A
    sample shows the frame on display at its instant. A span shorter than a window is padded by
    its last frame. Raises ClipError for more than ``max_samples`` samples: one damaged time stamp
    makes a short clip last for months.
    """
    if num_frames < 1 or window_stride < 1:
        raise UsageError(
            f"num_frames {num_frames} and window_stride {window_stride} must be 1 or more"
        )
    forward = _grid(timeline, span, frame_rate)
    last = span.stop - 1
    length = grid_length(timeline, span, frame_rate)
    _check_count(length, max_samples)
    if length < num_frames:
        frames = [forward(k) for k in range(length)]
        # The frames after the grid's last sample and up to the last frame belong to the padding.
        return [Window((*frames, *[last] * (num_frames - length)), num_frames - length)]
    windows = [
        Window(tuple(forward(k) for k in range(begin, begin + num_frames)))
        for begin in range(0, length - num_frames + 1, window_stride)
    ]
    if windows[-1].frame_indices[-1] != last:
        backward = _grid_to_end(timeline, span, frame_rate)
        windows.append(Window(tuple(backward(num_frames - 1 - k) for k in range(num_frames))))
    return windows


def sample_uniform(timeline: Timeline, span: Span, *, num_frames: int) -> list[Window]:
    """One window of ``num_frames`` keyframes, each in the middle of an equal share of the span."""
    if num_frames < 1:
        raise UsageError(f"num_frames {num_frames} must be 1 or more")
    first = int(timeline.pts[span.first])
    end = _end_tick(timeline, span)
    ticks = [first + (2 * k + 1) * (end - first) // (2 * num_frames) for k in range(num_frames)]
    frames = tuple(_on_display(timeline, span, tick) for tick in ticks)
    available = span.stop - span.first
    return [Window(frames, max(num_frames - available, 0))]


def _check_count(count: int, max_samples: int) -> None:
    if count > max_samples:
        raise ClipError(
            f"by its time stamps the clip lasts for {count} frames of the network, more than "
            f"{max_samples}: cut it with --start and --end, use --sampling uniform, or raise "
            "--max-frames"
        )


def _grid(timeline: Timeline, span: Span, rate: Fraction | None) -> Callable[[int], int]:
    """Sample number -> source frame, counted from the span's first frame."""
    if rate is None:
        return lambda k: span.first + k
    step = _step_ticks(timeline, rate)
    start = int(timeline.pts[span.first]) + _tolerance_ticks(timeline)
    return lambda k: _on_display(timeline, span, _floor(start + k * step))


def _grid_to_end(timeline: Timeline, span: Span, rate: Fraction | None) -> Callable[[int], int]:
    """Sample number -> source frame, counted back from the span's last frame."""
    if rate is None:
        return lambda k: span.stop - 1 - k
    step = _step_ticks(timeline, rate)
    end = int(timeline.pts[span.stop - 1]) + _tolerance_ticks(timeline)
    return lambda k: _on_display(timeline, span, _floor(end - k * step))


def grid_length(timeline: Timeline, span: Span, rate: Fraction | None) -> int:
    """How many samples lie on the grid up to the last frame's time stamp."""
    if rate is None:
        return span.stop - span.first
    ticks = int(timeline.pts[span.stop - 1] - timeline.pts[span.first])
    return _floor((ticks + _tolerance_ticks(timeline)) / _step_ticks(timeline, rate)) + 1


def _on_display(timeline: Timeline, span: Span, tick: int) -> int:
    """The frame of the span that is on display at ``tick``."""
    frame = bisect_right(timeline.pts, tick, lo=span.first, hi=span.stop) - 1
    return max(frame, span.first)


def _end_tick(timeline: Timeline, span: Span) -> int:
    if span.stop < timeline.num_frames:
        return int(timeline.pts[span.stop])
    return int(timeline.pts[-1]) + timeline.last_duration


def _step_ticks(timeline: Timeline, rate: Fraction) -> Fraction:
    return 1 / (rate * timeline.time_base)


def _tolerance_ticks(timeline: Timeline) -> Fraction:
    return STAMP_TOLERANCE_SECONDS / timeline.time_base


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator


def _to_ticks(timeline: Timeline, seconds: float | None) -> int | None:
    """The first tick at or after ``seconds``."""
    if seconds is None:
        return None
    ticks = Fraction(seconds).limit_denominator(1_000_000) / timeline.time_base
    return -(-ticks.numerator // ticks.denominator)
