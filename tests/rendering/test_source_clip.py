"""The clip that is drawn on has the frames of the explanation."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import video_cam
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


def test_another_clip_of_the_same_size_and_times_is_refused(explanation, sample_clip) -> None:
    other = Clip.open(next(p for p in sample_clip.parent.glob("*.mp4") if p != sample_clip))
    assert (other.info.width, other.info.height) == (256, 256)
    np.testing.assert_array_equal(other.timeline.pts, explanation.timeline.pts)
    with pytest.raises(UsageError, match="not the clip that was explained") as refused:
        check_clip(other, explanation)
    assert other.path in str(refused.value) and str(sample_clip) in str(refused.value)


def test_a_file_that_was_replaced_is_refused(explanation, sample_clip, tmp_path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(sample_clip.read_bytes() + b"\0")
    there = replace(explanation, clip=replace(explanation.clip, path=str(path)))
    with pytest.raises(UsageError, match="has changed since it was explained"):
        check_clip(Clip.open(path), there)


def test_a_clip_that_was_moved_is_the_same(explanation, sample_clip, tmp_path) -> None:
    check_clip(Clip.open(shutil.copy(sample_clip, tmp_path / "moved.mp4")), explanation)


@pytest.mark.parametrize(
    "draw",
    [
        lambda clip, explanation, folder: video_cam.render(clip, explanation, folder),
        lambda clip, explanation, _: video_cam.figure(clip, explanation),
        lambda clip, explanation, _: explanation.show(clip),
        lambda clip, explanation, _: video_cam.to_tensorboard(None, explanation, clip=clip),
    ],
    ids=["render", "figure", "show", "to_tensorboard"],
)
def test_nothing_is_drawn_on_another_clip(draw, explanation, sample_clip, tmp_path) -> None:
    other = next(p for p in sample_clip.parent.glob("*.mp4") if p != sample_clip)
    with pytest.raises(UsageError, match="not the clip that was explained"):
        draw(str(other), explanation, tmp_path / "results")
    assert not list(tmp_path.iterdir())
