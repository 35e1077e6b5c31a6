"""Literal tables of which frames are sampled. No file is touched."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from video_cam import ClipError, UsageError
from video_cam.explanation.sampling import FrameSpan, sample_uniform, sample_windows, span_of
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
        # half the source's rate; frame 9 is off the grid, so the last window is too
        (constant(10, 10), 4, 5, 2, [[0, 2, 4, 6], [3, 5, 7, 9]]),
        # 30 into 20: every sample shows the frame on display
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
    # At 0.0, 0.1 ... 1.1 s; frame 2 is on display from 0.2 to 1.0 s.
    [(frames, _)] = windows(held, 12, 10, 12)
    assert frames == [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4]


def test_milliseconds_of_matroska_skip_and_repeat_nothing() -> None:
    stamps = [round(1000 * k / 30) for k in range(60)]
    matroska = Timeline(np.array(stamps), Fraction(1, 1000), 33)
    assert windows(matroska, 60, 30, 60) == [(list(range(60)), 0)]
    assert windows(matroska, 30, 15, 30)[0] == (list(range(0, 60, 2)), 0)


def test_every_frame_of_a_long_clip_is_covered_in_order() -> None:
    found = windows(constant(1000, 25), 16, 15, 8)
    flat = [frames for frames, _ in found]
    assert flat[0][0] == 0 and flat[-1][-1] == 999
    assert all(frames == sorted(frames) for frames in flat)
    assert all(a[0] <= b[0] and a[-1] <= b[-1] for a, b in pairwise(flat))
    assert all(b[0] <= a[-1] for a, b in pairwise(flat))


@pytest.mark.parametrize(
    ("num_frames", "expected"),
    [(1, [4]), (2, [2, 6]), (3, [1, 4, 7]), (9, list(range(9))), (4, [1, 3, 5, 7])],
)
def test_uniform_keyframes_stand_in_the_middle_of_equal_shares(num_frames, expected) -> None:
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
def test_span(start, end, expected) -> None:
    span = span_of(constant(20, 10), start, end)
    assert (span.first, span.stop) == expected


def test_a_part_is_sampled_from_its_own_first_frame() -> None:
    assert windows(constant(100, 10), 3, 5, 3, FrameSpan(7, 16)) == [
        ([7, 9, 11], 0),
        ([11, 13, 15], 0),
    ]


@pytest.mark.parametrize(("start", "end"), [(2.0, None), (5.0, 6.0), (1.0, 1.0), (1.5, 0.5)])
def test_a_span_without_a_frame_is_refused(start, end) -> None:
    with pytest.raises(UsageError, match=r"the clip runs from 0\.000 s to 1\.900 s"):
        span_of(constant(20, 10), start, end)


def test_a_clip_that_lasts_for_months_is_refused() -> None:
    damaged = Timeline(np.array([0, 1, 10_000_000]), Fraction(1), 1)
    with pytest.raises(ClipError, match=r"lasts for 10000001 frames .* more than 500000: cut it"):
        windows(damaged, 16, 1, 8)


def test_the_number_of_samples_can_be_limited() -> None:
    timeline = Timeline(np.array([0, 1, 40]), Fraction(1), 1)
    sample = partial(
        sample_windows,
        timeline,
        FrameSpan(0, 3),
        num_frames=16,
        frame_rate=Fraction(1),
        window_stride=8,
    )
    assert len(sample(max_samples=41)) > 1
    with pytest.raises(ClipError, match="raise --max-frames"):
        sample(max_samples=40)
