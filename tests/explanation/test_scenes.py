"""Cuts between scenes: the cheap detection, and the split that keeps windows within scenes."""

from __future__ import annotations

import sys
from fractions import Fraction
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.two_actions import CUT, NUM_FRAMES
from video_cam import UsageError
from video_cam.explanation.sampling import FrameSpan, Window
from video_cam.explanation.scenes import HardCutDetector, cuts_within, split_scenes
from video_cam.video.clip import Clip
from video_cam.video.reader import Frame


def cuts_of(scene_numbers: list[int], step: int = 1) -> list[int]:
    """The cuts between frames of noise pictures, of which every ``step``-th frame is added."""
    rng = np.random.default_rng(0)
    scenes = [rng.integers(0, 256, (24, 24, 3), dtype=np.uint8) for _ in range(3)]
    detector = HardCutDetector()
    for number, scene in enumerate(scene_numbers):
        detector.add(step * number, scenes[scene])
    return detector.cuts()


@pytest.mark.parametrize(
    ("scene_numbers", "expected"),
    [
        ([0] * 20, []),
        ([0] * 12 + [1] * 8, [12]),
        ([0] * 6 + [1] * 6 + [2] * 6, [6, 12]),
        ([0, 1] * 10, []),  # steady flicker: every difference is as large
        ([0, 1], []),  # without other differences, fast motion cannot be told from a cut
        ([0, 1, 1], [1]),
        ([0], []),
        ([], []),
    ],
)
def test_a_cut_is_a_difference_that_stands_out(scene_numbers, expected) -> None:
    assert cuts_of(scene_numbers) == expected
    assert cuts_of(scene_numbers, step=2) == [2 * cut for cut in expected]


def test_a_small_difference_is_no_cut() -> None:
    """A change by 10 of 255 levels is far more than that of the frames around, and no cut."""
    for levels, expected in ((10, []), (30, [5])):
        detector = HardCutDetector()
        for index in range(10):
            detector.add(index, np.full((8, 8, 3), 100 + (index >= 5) * levels, np.uint8))
        assert detector.cuts() == expected


def pan(speeds: list[int]) -> list[np.ndarray]:
    """Pictures of a camera that turns past a wall, by so many pixels from one to the next."""
    tiles = np.random.default_rng(0).integers(0, 255, (12, 80, 3), dtype=np.uint8)
    wall = np.kron(tiles, np.ones((8, 8, 1), np.uint8))
    return [wall[:, left : left + 96] for left in accumulate(speeds, initial=0)]


@pytest.mark.parametrize("speeds", [[0] * 8 + [30, 60, 30] + [0] * 8, [0] * 8 + [40, 50]])
def test_a_fast_pan_is_no_cut(speeds) -> None:
    """It begins abruptly after frames that do not differ at all."""
    detector = HardCutDetector()
    for index, picture in enumerate(pan(speeds)):
        detector.add(index, picture)
    assert detector.cuts() == []


def test_footage_that_something_passes_through_is_one_scene() -> None:
    """A bright object fills more and more of the picture, and leaves it again."""
    pytest.importorskip("scenedetect")
    picture = np.random.default_rng(0).integers(0, 90, (96, 128, 3), dtype=np.uint8)
    frames = []
    for index, width in enumerate([0] * 8 + [20, 50, 90, 120, 128, 110, 70, 40, 10] + [0] * 8):
        passed = picture.copy()
        passed[:, :width] = 230
        frames.append(Frame(index, index, Fraction(1, 25), partial(np.copy, passed)))
    span = FrameSpan(0, len(frames))
    assert split_scenes(frames, span, Fraction(25)) == [span]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [((16, 18, 20, 22), [20, 22]), ((20, 22, 24, 26), [22, 26]), ((26, 28), []), ((8, 10), [])],
)
def test_a_cut_lies_within_a_window_that_has_frames_on_both_sides(frames, expected) -> None:
    assert cuts_within([20, 22, 26], Window(frames)) == expected


@pytest.mark.parametrize(
    ("span", "rate", "expected"),
    [
        ((0, NUM_FRAMES), 16, [(0, CUT), (CUT, NUM_FRAMES)]),
        ((20, 40), Fraction(30000, 1001), [(20, CUT), (CUT, 40)]),
        ((40, 50), 16, [(40, 50)]),
        ((CUT, 40), 16, [(CUT, 40)]),
    ],
)
def test_scenes_are_split_at_the_cut(span, rate, expected, two_actions: Path) -> None:
    pytest.importorskip("scenedetect")
    with Clip.open(two_actions).frames(*span) as frames:
        scenes = split_scenes(frames, FrameSpan(*span), Fraction(rate))
    assert [(scene.first, scene.stop) for scene in scenes] == expected


def test_cuts_at_the_ends_of_the_span_split_nothing(
    two_actions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some detectors report a cut late, and the first frame of a clip as a cut."""
    detectors = pytest.importorskip("scenedetect.detectors")

    class Detector:
        def __init__(self, **_: object) -> None:
            self.first: int | None = None

        def process_frame(self, timecode: Any, picture: np.ndarray) -> list[int]:
            if self.first is None:
                self.first = timecode.frame_num
            return [self.first, self.first + 2, self.first + 5]

    monkeypatch.setattr(detectors, "AdaptiveDetector", Detector)
    with Clip.open(two_actions).frames(10, 15) as frames:
        scenes = split_scenes(frames, FrameSpan(10, 15), Fraction(16))
    assert scenes == [FrameSpan(10, 12), FrameSpan(12, 15)]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scenedetect", None)
    with pytest.raises(UsageError, match="pip install scenedetect"):
        split_scenes([], FrameSpan(0, 10), Fraction(25))
