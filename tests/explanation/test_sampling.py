"""Literal tables of which frames are sampled. No file is touched."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from video_cam import UsageError
from video_cam.explanation.sampling import (
    FrameSpan,
    num_samples,
    sample_uniform,
    sample_windows,
    span_of,
)
from video_cam.video.timeline import Timeline


def constant(num_frames: int, fps: Fraction | int) -> Timeline:
    return Timeline(np.arange(num_frames), 1 / Fraction(fps), 1)


def windows(timeline: Timeline, num_frames: int, rate: int | None, stride: int, span=None):
    sampled = sample_windows(
        timeline,
        span or FrameSpan(0, timeline.num_frames),
        num_frames=num_frames,
        frame_rate=None if rate is None else Fraction(rate),
        window_stride=stride,
    )
    return [(list(window.frame_indices), window.num_padded) for window in sampled]


@pytest.mark.parametrize(
    ("timeline", "num_frames", "rate", "stride", "expected"),
    [
        # every frame; the last window ends on the last frame
        (constant(8, 10), 4, None, 2, [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]),
        (constant(9, 10), 4, None, 4, [[0, 1, 2, 3], [4, 5, 6, 7], [5, 6, 7, 8]]),
        # the same rate, given in numbers
        (constant(8, 10), 4, 10, 2, [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]),
        # the drawing in the module's docstring
        (constant(10, 10), 4, 5, 1, [[0, 2, 4, 6], [2, 4, 6, 8], [3, 5, 7, 9]]),
        # half the source's rate; frame 9 is off the grid, so the last window is too
        (constant(10, 10), 4, 5, 2, [[0, 2, 4, 6], [3, 5, 7, 9]]),
        # 30 into 20: a sample is the frame that is shown at its time
        (constant(7, 30), 3, 20, 1, [[0, 1, 3], [1, 3, 4], [3, 4, 6]]),
        # twice the source's rate: frames repeat
        (constant(3, 10), 4, 20, 4, [[0, 0, 1, 1], [0, 1, 1, 2]]),
        # 29.97 into 15: a frame that is 0.07 ms late is not late
        (constant(6, Fraction(30000, 1001)), 3, 15, 3, [[0, 2, 4], [1, 3, 5]]),
        # stride longer than a window: a gap
        (constant(9, 10), 3, None, 6, [[0, 1, 2], [6, 7, 8]]),
    ],
)
def test_windows(timeline, num_frames, rate, stride, expected) -> None:
    assert windows(timeline, num_frames, rate, stride) == [(frames, 0) for frames in expected]


@pytest.mark.parametrize(
    ("timeline", "num_frames", "rate", "expected", "padded"),
    [
        (constant(2, 10), 4, None, [0, 1, 1, 1], 2),
        (constant(1, 25), 4, 15, [0, 0, 0, 0], 3),
        (constant(4, 30), 4, 15, [0, 2, 3, 3], 2),
    ],
)
def test_a_clip_shorter_than_a_window_repeats_its_last_frame(
    timeline, num_frames, rate, expected, padded
) -> None:
    assert windows(timeline, num_frames, rate, 2) == [(expected, padded)]


def test_variable_rate_samples_by_time_not_by_index() -> None:
    held = Timeline(np.array([0, 10, 20, 100, 110]), Fraction(1, 100), 10)
    # At 0.0, 0.1 ... 1.1 s; frame 2 is shown from 0.2 to 1.0 s.
    [(frames, _)] = windows(held, 12, 10, 12)
    assert frames == [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4]


def test_milliseconds_of_matroska_skip_and_repeat_nothing() -> None:
    stamps = [round(1000 * k / 30) for k in range(60)]
    matroska = Timeline(np.array(stamps), Fraction(1, 1000), 33)
    assert windows(matroska, 60, 30, 60) == [(list(range(60)), 0)]
    assert windows(matroska, 30, 15, 30)[0] == (list(range(0, 60, 2)), 0)


def test_windows_cover_a_long_clip_in_order() -> None:
    frames = [frames for frames, _ in windows(constant(1000, 25), 16, 15, 8)]
    assert frames[0][0] == 0 and frames[-1][-1] == 999
    # 600 samples, a window at every eighth, and one that ends on the last frame.
    assert len(frames) == (600 - 16) // 8 + 1 + 1
    assert all(one == sorted(one) for one in frames)
    assert all(a[0] < b[0] <= a[-1] < b[-1] for a, b in pairwise(frames))


@pytest.mark.parametrize(
    ("num_frames", "expected"),
    [(1, [4]), (2, [2, 6]), (3, [1, 4, 7]), (9, list(range(9))), (4, [1, 3, 5, 7])],
)
def test_uniform_samples_are_in_the_middle_of_equal_parts(num_frames, expected) -> None:
    [window] = sample_uniform(constant(9, 10), FrameSpan(0, 9), num_frames=num_frames)
    assert list(window.frame_indices) == expected


def test_uniform_on_a_part_and_on_too_few_frames() -> None:
    [window] = sample_uniform(constant(100, 10), FrameSpan(10, 14), num_frames=2)
    assert window.frame_indices == (11, 13)
    [window] = sample_uniform(constant(2, 10), FrameSpan(0, 2), num_frames=4)
    assert (window.frame_indices, window.num_padded) == ((0, 0, 1, 1), 2)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, (0, 20)),
        (0.5, None, (5, 20)),
        (0.55, 1.0, (6, 10)),
        (None, 0.05, (0, 1)),
        (1.9, 99, (19, 20)),
    ],
)
def test_a_span_in_seconds(start, end, expected) -> None:
    span = span_of(constant(20, 10), start, end)
    assert (span.first, span.stop) == expected


@pytest.mark.parametrize(
    ("start", "end", "frame"),
    [(30, 60, 2), (100.15, None, 4), (100.15, 200, 4), (0.25, 0.3, 2), (-5, 0.1, 0)],
)
def test_a_span_within_one_long_frame_is_that_frame(start, end, frame) -> None:
    """Of frames at 0, 0.1, 0.2, 100 and 100.1 s, the last one shown for 10 s."""
    slides = Timeline(np.array([0, 1, 2, 1000, 1001]), Fraction(1, 10), 100)
    span = span_of(slides, start, end)
    assert (span.first, span.stop) == (frame, frame + 1)


def test_a_part_is_sampled_from_its_own_first_frame() -> None:
    part = windows(constant(100, 10), 3, 5, 3, FrameSpan(7, 16))
    assert part == [([7, 9, 11], 0), ([11, 13, 15], 0)]


@pytest.mark.parametrize(
    ("span", "rate", "expected"),
    [
        (FrameSpan(0, 20), None, 20),
        (FrameSpan(5, 15), None, 10),
        (FrameSpan(0, 20), 10, 20),
        (FrameSpan(0, 20), 5, 10),
        (FrameSpan(0, 20), 40, 77),  # from 0.0 to 1.9 s
        (FrameSpan(3, 4), 5, 1),
    ],
)
def test_the_number_of_samples(span, rate, expected) -> None:
    timeline = constant(20, 10)
    assert num_samples(timeline, span, None if rate is None else Fraction(rate)) == expected


def test_a_frame_that_is_shown_for_months_costs_one_window() -> None:
    """Of a clip that stops for months between its frames 2 and 3."""
    months = Timeline(np.array([0, 1, 2, 10**8, 10**8 + 1]), Fraction(1, 10), 1)
    expected = [[0, 1, 2, 2], [1, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 3], [2, 2, 3, 4]]
    assert windows(months, 4, 10, 1) == [(frames, 0) for frames in expected]
    assert windows(months, 4, 10, 3) == [([0, 1, 2, 2], 0), ([2, 2, 2, 2], 0), ([2, 2, 3, 4], 0)]
    assert windows(months, 1, 10, 1) == [([i], 0) for i in range(5)]


@pytest.mark.parametrize("stride", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("rate", [3, 10, 24])
def test_only_windows_of_the_same_frame_are_left_out(stride, rate) -> None:
    """Compared with a grid that is walked sample by sample."""
    pts = np.cumsum(np.random.default_rng(stride).choice([1, 1, 2, 40, 170], 25))
    timeline = Timeline(pts, Fraction(1, 30), 1)
    grid = [
        max(i for i in range(25) if pts[i] <= pts[0] + k * Fraction(30, rate) + Fraction(3, 100))
        for k in range(num_samples(timeline, FrameSpan(0, 25), Fraction(rate)))
    ]
    every = [grid[begin : begin + 4] for begin in range(0, len(grid) - 3, stride)]
    kept = [
        one
        for i, one in enumerate(every)
        if i == 0 or one != every[i - 1] or one[0] != one[-1] or one[-1] == 24
    ]
    found = [frames for frames, _ in windows(timeline, 4, rate, stride)]
    assert found[: len(kept)] == kept
    assert len(found) <= len(kept) + 1


@pytest.mark.parametrize(("num_frames", "stride"), [(0, 1), (1, 0)])
def test_windows_of_nothing_are_refused(num_frames, stride) -> None:
    with pytest.raises(UsageError, match="must be 1 or more"):
        windows(constant(9, 10), num_frames, None, stride)


@pytest.mark.parametrize(("start", "end"), [(2.0, None), (5.0, 6.0), (1.0, 1.0)])
def test_a_span_without_a_frame_is_refused(start, end) -> None:
    with pytest.raises(UsageError, match=r"the clip runs from 0\.000 s to 2\.000 s"):
        span_of(constant(20, 10), start, end)


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the end, 0\.5 s, comes before the start, 1\.5 s"):
        span_of(constant(20, 10), 1.5, 0.5)
