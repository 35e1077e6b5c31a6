"""Time lapse and slow motion: what the network is given, and what is said of it."""

from __future__ import annotations

import re
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from video_cam.config import ExplainConfig
from video_cam.explanation.rates import lapse_rate, own_rate, rate_note
from video_cam.explanation.sampling import FrameSpan
from video_cam.explanation.window_reader import plan_windows
from video_cam.video.timeline import Timeline

NETWORK = Fraction(15)


def clip(rate: Fraction | float, num_frames: int = 40) -> tuple[Timeline, FrameSpan]:
    timeline = Timeline(np.arange(num_frames), 1 / Fraction(rate), 1)
    return timeline, FrameSpan(0, num_frames)


@pytest.mark.parametrize(
    ("rate", "options", "is_lapse"),
    [
        (Fraction(1, 10), {}, True),
        (1, {}, True),
        (3, {}, True),
        (5, {}, False),  # a picture repeats three times
        (25, {}, False),
        (1, {"frame_rate": 15}, False),
        (1, {"sampling": "uniform"}, False),
    ],
)
def test_time_lapse_is_given_picture_by_picture(rate, options, is_lapse) -> None:
    timeline, span = clip(rate)
    config = ExplainConfig(**options)
    assert lapse_rate(timeline, span, NETWORK, config) == (rate if is_lapse else None)
    model = SimpleNamespace(framewise=False, num_frames=4, frame_rate=NETWORK)
    first = plan_windows(timeline, [span], model, config)[0].frame_indices
    assert (first == (0, 1, 2, 3)) == is_lapse
    assert ("successive pictures" in rate_note(timeline, span, NETWORK, config)) == is_lapse


@pytest.mark.parametrize("framewise", [False, True])
def test_no_window_of_a_time_lapse_holds_a_picture_twice(framewise) -> None:
    timeline, span = clip(Fraction(1, 10), 40)
    model = SimpleNamespace(framewise=framewise, num_frames=16, frame_rate=NETWORK)
    windows = plan_windows(timeline, [span], model, ExplainConfig())
    assert len(windows) <= 5
    assert all(len(set(one.frame_indices)) == 16 for one in windows)
    assert {i for one in windows for i in one.frame_indices} == set(range(40))


def test_one_long_pause_makes_no_time_lapse() -> None:
    pts = np.array([0, 1, 2, 3, 100_000, 100_001, 100_002])
    timeline = Timeline(pts, Fraction(1, 25), 1)
    assert own_rate(timeline, FrameSpan(0, 7)) == 25
    assert lapse_rate(timeline, FrameSpan(0, 7), NETWORK, ExplainConfig()) is None
    assert own_rate(timeline, FrameSpan(3, 4)) is None


@pytest.mark.parametrize(
    ("rate", "options", "words"),
    [
        (240, {}, "the clip has 240 frames per second, and the network is given 15 of them"),
        (1000, {}, "--frame-rate 1000 gives it every frame, as slow motion"),
        (
            Fraction(1, 10),
            {},
            "a picture every 10 s: .* as if they were 15 per second; --frame-rate",
        ),
        (60, {}, "^$"),
        (25, {}, "^$"),
        (240, {"frame_rate": 240}, "^$"),
        (240, {"sampling": "uniform"}, "^$"),
    ],
)
def test_unusual_rates_are_noted(rate, options, words) -> None:
    timeline, span = clip(rate)
    assert re.search(words, rate_note(timeline, span, NETWORK, ExplainConfig(**options)))
