"""Find the cuts of a clip: a cheap check of the frames that are read anyway, and PySceneDetect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from video_cam.config import ExplainConfig
from video_cam.errors import UsageError
from video_cam.explanation.sampling import FrameSpan, Window
from video_cam.utils.threads import prefetch
from video_cam.video.clip import Clip
from video_cam.video.reader import Frame

# At a hard cut the mean absolute difference between two frames is at least CUT_LEVELS of 255, at
# least CUT_FACTOR times each of the differences around it, and at least CUT_COLORS of the pixels
# change to other colours. A fast pan or an object that passes close by rarely does all three:
# docs/video-files.md has the precision, measured by benchmarks/truth/cuts.py.
CUT_LEVELS, CUT_FACTOR, CUT_COLORS = 20.0, 2.0, 0.3
NEIGHBOURS = 2  # differences on either side
BINS = 8  # of the histogram of colours, for each of red, green and blue
FRAMES_AHEAD = 8  # decoded while the scene detector runs
DETECTOR_WIDTH = 256  # pixels; PySceneDetect scales frames down to about this width as well


class HardCutDetector:
    """Detects hard cuts from the differences between consecutive frames."""

    def __init__(self) -> None:
        self._previous: np.ndarray | None = None
        self._colors: np.ndarray | None = None
        self._frame_indices: list[int] = []
        self._differences: list[float] = []
        self._changes: list[float] = []  # the part of the pixels that change to other colours

    def add(self, frame_index: int, frame: np.ndarray) -> None:
        """Compare a frame with the one added before.

        Args:
            frame_index: source frame index, higher than that of the frame before.
            frame: uint8 (H, W, 3), preprocessed.
        """
        colors = _color_histogram(frame)
        if self._previous is not None:
            self._frame_indices.append(frame_index)
            self._differences.append(float(cv2.absdiff(frame, self._previous).mean()))
            self._changes.append(float(np.abs(colors - self._colors).sum()) / 2)
        self._previous, self._colors = frame, colors

    def cuts(self) -> list[int]:
        """Source indices of the frames that look like the first one after a hard cut."""
        differences, changes = np.array(self._differences), np.array(self._changes)
        cuts = []
        for i in np.flatnonzero((differences >= CUT_LEVELS) & (changes >= CUT_COLORS)):
            before, after = differences[max(i - NEIGHBOURS, 0) : i], differences[i + 1 :]
            around = [*before, *after[:NEIGHBOURS]]
            # Without other differences, fast motion cannot be told from a cut.
            if around and differences[i] >= CUT_FACTOR * max(around):
                cuts.append(self._frame_indices[i])
        return cuts


def _color_histogram(frame: np.ndarray) -> np.ndarray:
    """float32 (BINS**3,): the part of the pixels in each bin of red, green and blue."""
    counts = cv2.calcHist([frame], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3)
    return counts.ravel() / counts.sum()


def cuts_within(cuts: Sequence[int], window: Window) -> list[int]:
    """The cuts that a window runs across: it has frames before and after them.

    Args:
        cuts: source indices of the first frames after a cut.
    """
    first, last = window.frame_indices[0], window.frame_indices[-1]
    return [cut for cut in cuts if first < cut <= last]


def scenes_of(clip: Clip, span: FrameSpan, config: ExplainConfig) -> tuple[FrameSpan, ...]:
    """The parts of a span that no window runs across; frames are read where they have to be found.

    Raises:
        UsageError: where PySceneDetect is needed and not installed.
        ClipError: where the clip cannot be read.
    """
    if not config.split_scenes:
        return (span,)
    with clip.frames(span.first, span.stop) as reader, prefetch(reader, FRAMES_AHEAD) as frames:
        return tuple(split_scenes(frames, span, clip.info.frame_rate))


def split_scenes(frames: Iterable[Frame], span: FrameSpan, frame_rate: Fraction) -> list[FrameSpan]:
    """Split a span where PySceneDetect's adaptive detector finds a cut.

    Args:
        frames: the frames of the span, in order.
        frame_rate: frames per second of the clip.

    Returns:
        The scenes in order of time; together they are the span.

    Raises:
        UsageError: where PySceneDetect is not installed.
    """
    try:
        from scenedetect import FrameTimecode
        from scenedetect.detectors import AdaptiveDetector
    except ImportError as error:
        raise UsageError("splitting scenes takes PySceneDetect: pip install scenedetect") from error
    # Its content detector takes fast motion for cuts: see docs/video-files.md.
    detector = AdaptiveDetector(min_scene_len=2)
    cuts: list[int] = []
    for frame in frames:
        picture = cv2.cvtColor(_small(frame.rgb()), cv2.COLOR_RGB2BGR)
        # A time code that is made from the frame's index gives the same cuts at any frame rate.
        timecode = FrameTimecode(frame.index, float(frame_rate))
        cuts += map(_frame_index, detector.process_frame(timecode, picture))
    limits = [span.first, *sorted({cut for cut in cuts if span.first < cut < span.stop}), span.stop]
    return [FrameSpan(first, stop) for first, stop in pairwise(limits)]


def _frame_index(cut: Any) -> int:
    """PySceneDetect gives numbers in some releases and time codes in others."""
    return int(cut if isinstance(cut, int) else cut.frame_num)


def _small(rgb: np.ndarray) -> np.ndarray:
    scale = DETECTOR_WIDTH / rgb.shape[1]
    if scale >= 1:
        return rgb
    return cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
