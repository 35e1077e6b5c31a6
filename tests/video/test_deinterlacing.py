"""Interlaced clips are deinterlaced: the same frames at the same times, without combed edges."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.support import media
from tests.support.media import is_same_timeline, read_all
from video_cam.video import deinterlacing
from video_cam.video.browser_copy import BrowserCopy
from video_cam.video.clip import Clip
from video_cam.video.reader import FrameReader

LENGTH = 30
# Name -> codec, its options, and which lines are the earlier field: 0 for the top ones.
KINDS = {
    "a.mp4": ("libx264", {"x264-params": "tff=1:bframes=2", "g": "10"}, 0),
    "a.mkv": ("libx264", {"x264-params": "bff=1", "g": "10"}, 1),
    "a.ts": ("mpeg2video", {"flags": "+ilme+ildct", "g": "10", "bf": "2"}, 1),
}


def woven(num_frames: int, first_field: int) -> list[np.ndarray]:
    """uint8 (96, 128, 3) frames of a bar that moves 3 pixels from each field to the next."""
    frames = []
    for index in range(num_frames):
        frame = np.full((96, 128, 3), 40, np.uint8)
        for time, field in ((2 * index, first_field), (2 * index + 1, 1 - first_field)):
            left = 3 * time % 100
            frame[field::2, left : left + 20] = 220
        frames.append(frame)
    return frames


def combing(picture: np.ndarray) -> float:
    """How much lines differ from those above and below: mean of levels over the picture."""
    levels = picture.astype(float).mean(2)
    return float(np.abs(levels[1:-1] - (levels[:-2] + levels[2:]) / 2).mean())


@pytest.fixture(scope="module", params=KINDS)
def clip(request, tmp_path_factory) -> Path:
    codec, options, first_field = KINDS[request.param]
    path = tmp_path_factory.mktemp("interlaced") / request.param
    return media.write_clip(path, woven(LENGTH, first_field), codec=codec, options=options)


def test_frames_are_deinterlaced_at_their_own_times(clip: Path) -> None:
    opened = Clip.open(clip)
    assert opened.info.is_interlaced
    assert opened.timeline.num_frames == LENGTH
    assert is_same_timeline(read_all(clip).timeline, opened.timeline)
    assert read_all(clip).timeline.last_duration == opened.timeline.last_duration
    with av.open(str(clip)) as container:
        stored = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with opened.frames() as frames:
        shown = [frame.rgb() for frame in frames]
    assert np.mean([combing(one) for one in stored]) > 4
    assert np.mean([combing(one) for one in shown]) < 1.5
    for one, other in zip(stored, shown, strict=True):
        np.testing.assert_allclose(one.mean(), other.mean(), atol=5)  # the same moment


@pytest.mark.parametrize("start", [1, 9, 10, 11, 20, 29])
def test_seeking_gives_the_same_deinterlaced_frames(clip: Path, start: int) -> None:
    opened = Clip.open(clip)
    with FrameReader(clip, start, start + 3) as reader:
        expected = [frame.rgb() for frame in reader]
    with opened.frames(start, start + 3) as reader:
        found = [frame.rgb() for frame in reader]
        assert reader.first_decoded == (0 if clip.suffix == ".ts" else start)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_pages_copy_is_deinterlaced_too(clip: Path, tmp_path) -> None:
    opened = Clip.open(clip)
    with BrowserCopy(opened, tmp_path, (0, LENGTH)) as copy, opened.frames() as frames:
        for frame in frames:
            copy.write(frame, frame.rgb())
    with av.open(str(copy.path)) as container:
        pictures = list(container.decode(video=0))
    assert not any(picture.interlaced_frame for picture in pictures)
    assert combing(pictures[9].to_ndarray(format="rgb24")) < 1.5


@pytest.mark.parametrize("num_frames", [1, 2])
def test_short_interlaced_clips_keep_all_their_frames(tmp_path, num_frames: int) -> None:
    codec, options, _ = KINDS["a.mp4"]
    path = media.write_clip(tmp_path / "a.mp4", woven(num_frames, 0), codec=codec, options=options)
    assert read_all(path).num_decoded == num_frames


def test_a_progressive_clip_passes_through_no_filter(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(deinterlacing, "_FilterGraph", None)  # calling it would raise
    path = media.write_clip(tmp_path / "a.mp4", 5)
    assert not Clip.open(path).info.is_interlaced
    assert read_all(path).num_decoded == 5


@pytest.fixture(scope="module")
def half_interlaced(tmp_path_factory) -> Path:
    """A broadcast stream of 10 progressive frames, then 10 interlaced ones."""
    folder = tmp_path_factory.mktemp("half")
    codec, interlaced, first_field = KINDS["a.ts"]
    parts = []
    for number, options in enumerate(({"g": "10"}, interlaced)):
        stamps = range(10 * number, 10 * number + 10)
        frames = woven(10, first_field) if number else media.moving_square(10, 128, 96)
        path = folder / f"{number}.ts"
        media.write_clip(path, frames, codec=codec, options=options, pts=stamps)
        parts.append(path.read_bytes())
    (folder / "a.ts").write_bytes(b"".join(parts))
    return folder / "a.ts"


@pytest.mark.parametrize("has_filter", [True, False])
def test_a_clip_that_is_interlaced_later_on_is_noticed(
    half_interlaced: Path, monkeypatch, has_filter: bool
) -> None:
    if not has_filter:
        monkeypatch.setattr(deinterlacing, "filters_available", set())
    clip = Clip.open(half_interlaced)
    assert not clip.info.is_interlaced and clip.timeline.num_frames == 20
    with clip.frames(0, 4) as reader:
        assert len(list(reader)) == 4 and not reader.has_interlaced
    with clip.frames() as reader:
        pictures = [frame.rgb() for frame in reader]
        assert reader.has_interlaced
    assert (np.mean([combing(one) for one in pictures[10:]]) < 1.5) == has_filter


def test_without_a_filter_frames_stay_as_they_are(clip: Path, monkeypatch) -> None:
    monkeypatch.setattr(deinterlacing, "filters_available", set())
    with FrameReader(clip) as reader:
        pictures = [frame.rgb() for frame in reader]
    assert len(pictures) == LENGTH
    assert np.mean([combing(one) for one in pictures]) > 4
