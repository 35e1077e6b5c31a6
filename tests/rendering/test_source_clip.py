"""The clip that is drawn on has the frames of the explanation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from video_cam import Explanation, UsageError
from video_cam.rendering.source_clip import as_explained, check_clip
from video_cam.video.clip import Clip


def with_pts(explanation: Explanation, pts: np.ndarray) -> Explanation:
    """The explanation, made from frames with these time stamps."""
    return replace(explanation, timeline=replace(explanation.timeline, pts=pts))


def test_the_same_time_stamps_let_the_clip_seek(explanation, sample_clip: Path) -> None:
    clip = Clip.open(sample_clip)
    check_clip(clip, explanation)
    assert as_explained(clip, explanation) is clip


def test_fewer_frames_than_packets_are_counted_from_the_start(explanation, sample_clip) -> None:
    """As of a damaged clip: the explanation has the time stamps of the frames that decode."""
    clip = Clip.open(sample_clip)
    fewer = with_pts(explanation, explanation.timeline.pts[:-2])
    check_clip(clip, fewer)
    counted = as_explained(clip, fewer)
    assert not counted.can_seek and counted.timeline is fewer.timeline


def test_frames_that_only_decoding_gives_are_accepted(explanation, sample_clip) -> None:
    clip = Clip.open(sample_clip)
    promised = replace(clip, timeline=replace(clip.timeline, pts=clip.timeline.pts + 1))
    check_clip(promised, explanation)
    assert not as_explained(promised, explanation).can_seek


def test_frames_that_the_clip_lacks_are_refused(explanation, sample_clip) -> None:
    other = with_pts(explanation, explanation.timeline.pts + 1)
    with pytest.raises(UsageError, match="explain it again"):
        check_clip(Clip.open(sample_clip), other)
