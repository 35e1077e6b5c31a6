"""A clip is opened once; its frames can be read in ranges and singly."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import media
from tests.support.media import is_same_timeline, read_all, read_frames
from video_cam import UsageError
from video_cam.config import LimitsConfig
from video_cam.video.clip import Clip
from video_cam.video.container import VideoSource


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """90 frames with a key frame in every 20."""
    return media.write_clip(tmp_path / "a.mp4", 90, options={"bf": "2", "g": "20"})


@pytest.fixture
def decoded_frames(monkeypatch) -> list:
    """Every frame that comes out of a decoder during the test."""
    decoded = []
    decode = VideoSource.decode

    def recording(self, packet):
        frames = decode(self, packet)
        decoded.extend(frames)
        return frames

    monkeypatch.setattr(VideoSource, "decode", recording)
    return decoded


def test_a_clip_knows_what_it_is(path: Path) -> None:
    limits = LimitsConfig(max_frames=100)
    clip = Clip.open(path, limits)
    assert clip.path == str(path)
    assert (clip.info.width, clip.info.height, clip.info.num_frames) == (64, 48, 90)
    assert is_same_timeline(clip.timeline, read_all(path).timeline)
    assert clip.limits == limits and clip.can_seek
    assert Clip.open(str(path)).limits == LimitsConfig()


def test_a_range_of_frames_is_read_from_its_key_frame_on(path: Path, decoded_frames) -> None:
    expected = [(f.index, f.pts, f.rgb()) for f in read_frames(path, 70, 73)]
    clip = Clip.open(path)
    decoded_frames.clear()
    with clip.frames(70, 73) as frames:
        found = [(f.index, f.pts, f.rgb()) for f in frames]
    assert len(decoded_frames) < 45
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one[2], other[2])


def test_frames_can_be_read_more_than_once(path: Path) -> None:
    clip = Clip.open(path)
    for _ in range(2):
        with clip.frames() as frames:
            assert [frame.index for frame in frames] == list(range(90))


def test_single_frames_come_from_one_reading(path: Path, decoded_frames) -> None:
    expected = {f.index: f.rgb() for f in read_frames(path) if f.index in (61, 75)}
    clip = Clip.open(path)
    decoded_frames.clear()
    found = clip.frames_at([75, 61, 75])
    assert len(decoded_frames) < 45
    assert list(found) == [61, 75]
    for index, picture in found.items():
        np.testing.assert_array_equal(picture, expected[index])
    assert clip.frames_at([]) == {}


def test_a_frame_that_does_not_exist_is_named(path: Path) -> None:
    with pytest.raises(UsageError, match=r"no frame 90; the clip has 90 frames, counted from 0"):
        Clip.open(path).frames_at([3, 90])


def test_a_damaged_clip_is_counted_from_its_beginning(tmp_path: Path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 60, options={"g": "1"})
    media.damage_packets(path, [20])
    clip = Clip.open(path)
    assert clip.timeline.num_frames == 60
    decoded = clip.decoded()
    assert decoded.timeline.pts.tolist() == [p for i, p in enumerate(clip.timeline.pts) if i != 20]
    assert decoded.info == clip.info and decoded.limits == clip.limits
    assert not decoded.can_seek
    whole = [frame.rgb() for frame in read_frames(path)]
    assert len(whole) == 59
    np.testing.assert_array_equal(decoded.frames_at([30])[30], whole[30])
    with decoded.frames(30, 31) as frames:
        assert [frame.index for frame in frames] == [30]
    assert frames.first_decoded == 0


def test_a_clip_can_be_pickled(path: Path) -> None:
    clip = Clip.open(path, LimitsConfig(max_frames=100))
    copy = pickle.loads(pickle.dumps(clip))
    assert copy.info == clip.info and copy.limits == clip.limits
    assert is_same_timeline(copy.timeline, clip.timeline)
    assert [f.index for f in copy.frames(88)] == [88, 89]


def test_a_folder_of_images_is_a_clip_too(tmp_path: Path) -> None:
    for number in range(5):
        Image.new("RGB", (20, 10), (number, 0, 0)).save(tmp_path / f"{number}.png")
    clip = Clip.open(tmp_path)
    assert {i: int(p[0, 0, 0]) for i, p in clip.frames_at([1, 3]).items()} == {1: 1, 3: 3}
    assert is_same_timeline(clip.decoded().timeline, clip.timeline)
