"""Which windows a config asks for, and the frames that reading them hands out."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from video_cam.config import ExplainConfig
from video_cam.explanation.sampling import FrameSpan, Window
from video_cam.explanation.window_reader import batches, plan_windows, read_windows
from video_cam.video.timeline import Timeline

WHOLE = (FrameSpan(0, 12),)
TWO = (FrameSpan(0, 5), FrameSpan(5, 12))


def plan(scenes=WHOLE, rate: int = 10, framewise: bool = False, **options: Any) -> list[Window]:
    """A network of 4 frames at 10 per second on a clip of 12 frames at ``rate`` per second."""
    timeline = Timeline(np.arange(12), Fraction(1, rate), 1)
    model = SimpleNamespace(framewise=framewise, num_frames=4, frame_rate=Fraction(10))
    return plan_windows(timeline, scenes, model, ExplainConfig(**options))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 3], [2, 5], [4, 7], [6, 9], [8, 11]]),  # by default half a window apart
        ({"window_stride": 4}, [[0, 3], [4, 7], [8, 11]]),
        ({"num_frames": 6}, [[0, 5], [3, 8], [6, 11]]),
        ({"frame_rate": Fraction(5)}, [[0, 6], [4, 10], [5, 11]]),
        ({"sampling": "uniform"}, [[1, 10]]),
        ({"sampling": "uniform", "num_frames": 6}, [[1, 11]]),
        ({"scenes": TWO}, [[0, 3], [1, 4], [5, 8], [7, 10], [8, 11]]),
        ({"scenes": TWO, "sampling": "uniform"}, [[0, 4], [5, 11]]),
    ],
)
def test_the_config_chooses_the_windows(options, expected) -> None:
    windows = plan(**options)
    ends = [[window.frame_indices[0], window.frame_indices[-1]] for window in windows]
    assert ends == expected
    assert {len(window.frame_indices) for window in windows} == {options.get("num_frames", 4)}


@pytest.mark.parametrize(
    ("scenes", "rate", "options", "lengths", "padded"),
    [
        # Side by side, because neighbours do not change a frame's score.
        (WHOLE, 10, {}, [4, 4, 4], [0, 0, 0]),
        ((FrameSpan(0, 2), FrameSpan(2, 12)), 10, {}, [4, 4, 4, 4], [2, 0, 0, 0]),
        # A span of three samples is a window of three, whatever its scenes.
        ((FrameSpan(0, 3),), 10, {}, [3], [0]),
        ((FrameSpan(0, 2), FrameSpan(2, 3)), 10, {}, [3, 3], [1, 2]),
        (WHOLE, 60, {}, [2, 2], [0, 0]),  # 0.2 s: two samples, and two that end on the last frame
        ((FrameSpan(0, 1),), 10, {}, [1], [0]),
        ((FrameSpan(0, 3),), 60, {"sampling": "uniform"}, [3], [0]),
        # A length that the user named is kept.
        ((FrameSpan(0, 3),), 10, {"num_frames": 4}, [4], [1]),
    ],
)
def test_windows_of_frames_scored_one_by_one(scenes, rate, options, lengths, padded) -> None:
    windows = plan(scenes, rate, framewise=True, **options)
    assert [len(window.frame_indices) for window in windows] == lengths
    assert [window.num_padded for window in windows] == padded


class CountedFrame:
    """A frame of a clip, filled with its index; notes when its pixels are asked for."""

    def __init__(self, index: int, converted: list[int]) -> None:
        self.index, self._converted = index, converted

    def rgb(self) -> np.ndarray:
        self._converted.append(self.index)
        return np.full((64, 64, 3), self.index, np.uint8)


def test_each_frame_is_converted_once_and_only_where_needed(bundled) -> None:
    converted: list[int] = []
    taken: list[tuple[int, int]] = []
    frames = (CountedFrame(i, converted) for i in range(20))
    windows = [Window((0, 2, 4)), Window((2, 4, 6)), Window((5, 6, 6))]
    read = list(
        read_windows(
            frames, windows, bundled.preprocess, lambda i, frame: taken.append((i, frame[0, 0, 0]))
        )
    )
    assert converted == [0, 2, 4, 5, 6]
    assert taken == [(i, i) for i in converted]
    assert [w[:, 0, 0, 0].tolist() for w in read] == [[0, 2, 4], [2, 4, 6], [5, 6, 6]]
    assert read[0].shape == (3, *bundled.preprocess.crop, 3) and read[0].dtype == np.uint8
    assert next(frames).index == 7  # nothing was read beyond the last window


def test_reading_stops_where_the_clip_does(bundled) -> None:
    frames = (CountedFrame(i, []) for i in range(5))
    windows = [Window((0, 2)), Window((4, 5)), Window((5, 6))]
    [only] = read_windows(frames, windows, bundled.preprocess)
    assert only[:, 0, 0, 0].tolist() == [0, 2]


def test_batches() -> None:
    assert list(batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches(range(6), 3)) == [[0, 1, 2], [3, 4, 5]]
    assert list(batches([], 3)) == []
