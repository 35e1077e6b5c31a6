"""Where a clip is cut: a cheap hint from the frames that pass by, and PySceneDetect's answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from video_cam.errors import UsageError
from video_cam.explanation.sampling import Span, Window
from video_cam.models.preprocessing import Frame
from video_cam.video.reader import Frame as SourceFrame

# A hard cut changes the mean pixel by so many of 255 levels, and so many times as much as the
# frames around it change it: fast motion does either, seldom both.
CUT_LEVELS, CUT_FACTOR = 20.0, 5.0
NEIGHBOURS = 8  # frames to either side
DETECTOR_WIDTH = 256  # pixels; PySceneDetect scales down to about that as well


class CutHint:
    """Notes how much each frame differs from the one before; frames come in order."""

    def __init__(self) -> None:
        self._before: Frame | None = None
        self._indices: list[int] = []
        self._changes: list[float] = []

    def note(self, index: int, frame: Frame) -> None:
        """Take a preprocessed frame, uint8 (H, W, 3)."""
        if self._before is not None:
            self._indices.append(index)
            self._changes.append(float(cv2.absdiff(frame, self._before).mean()))
        self._before = frame

    def cuts(self) -> list[int]:
        """Indices of frames that look like the first one behind a hard cut."""
        changes = np.array(self._changes)
        found = []
        for i in np.flatnonzero(changes >= CUT_LEVELS):
            around = [*changes[max(i - NEIGHBOURS, 0) : i], *changes[i + 1 : i + 1 + NEIGHBOURS]]
            # Two frames alone tell nothing of how fast things move.
            if around and changes[i] >= CUT_FACTOR * float(np.median(around)):
                found.append(self._indices[i])
        return found


def crossed(cuts: Sequence[int], windows: Sequence[Window]) -> list[int]:
    """The cuts that lie within some window, not between two."""
    spans = [(window.frame_indices[0], window.frame_indices[-1]) for window in windows]
    return [cut for cut in cuts if any(first < cut <= last for first, last in spans)]


def split_scenes(frames: Iterable[SourceFrame], span: Span, frame_rate: Fraction) -> list[Span]:
    """The span cut where PySceneDetect's content detector finds scenes to change.

    frames: those of the span. Raises UsageError where PySceneDetect is not installed.
    """
    try:
        from scenedetect import FrameTimecode
        from scenedetect.detectors import ContentDetector
    except ImportError as error:
        raise UsageError("splitting scenes takes PySceneDetect: pip install scenedetect") from error
    detector = ContentDetector(min_scene_len=2)
    cuts: list[int] = []
    for frame in frames:
        picture = cv2.cvtColor(_small(frame.rgb()), cv2.COLOR_RGB2BGR)
        # Frames are counted here, so that the answer holds for any frame rate.
        timecode = FrameTimecode(frame.index, float(frame_rate))
        cuts += map(_frame_number, detector.process_frame(timecode, picture))
    limits = [span.first, *sorted({cut for cut in cuts if span.first < cut < span.stop}), span.stop]
    return [Span(first, stop) for first, stop in pairwise(limits)]


def _frame_number(cut: Any) -> int:
    """Releases before 0.7 answer with numbers where none was given, later ones with timecodes."""
    return int(cut if isinstance(cut, int) else cut.frame_num)


def _small(rgb: Frame) -> Frame:
    scale = DETECTOR_WIDTH / rgb.shape[1]
    if scale >= 1:
        return rgb
    return cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
