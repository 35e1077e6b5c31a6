"""A part of a clip is read from the key frame before it, and is the same part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import media
from tests.support.media import read_frames
from video_cam.video.container import VideoSource
from video_cam.video.reader import FrameReader
from video_cam.video.scan import probe
from video_cam.video.timeline import Timeline

LENGTH = 90
KINDS = {
    "b.mp4": ("libx264", {"bf": "3", "g": "20", "b_strategy": "0"}),
    "open.mp4": ("libx264", {"bf": "3", "g": "20", "x264-params": "open-gop=1"}),
    "a.mkv": ("libx264", {"bf": "2", "g": "20"}),
    "a.webm": ("libvpx", {"g": "20", "cpu-used": "8"}),
    "a.avi": ("mpeg4", {"g": "20"}),
    "c.avi": ("libx264", {"bf": "2", "g": "20"}),
    "a.ts": ("libx264", {"bf": "2", "g": "20"}),
    "a.h264": ("libx264", {"g": "20"}),
    "one.mp4": ("libx264", {"bf": "2", "g": "1000"}),  # a single key frame
}
SEEKABLE = ("b.mp4", "open.mp4", "a.mkv", "a.webm", "one.mp4")


@pytest.fixture(scope="module", params=KINDS)
def clip(request, tmp_path_factory) -> Path:
    codec, options = KINDS[request.param]
    path = tmp_path_factory.mktemp("seek") / request.param
    return media.write_clip(path, LENGTH, codec=codec, options=options)


@pytest.mark.parametrize(("start", "stop"), [(1, 4), (19, 22), (20, 21), (59, None), (89, None)])
def test_seeking_gives_the_same_frames(clip: Path, start: int, stop: int | None) -> None:
    _, timeline = probe(clip)
    expected = [(f.index, f.pts, f.rgb()) for f in read_frames(clip, start, stop)]
    with FrameReader(clip, start, stop, timeline) as reader:
        found = [(f.index, f.pts, f.rgb()) for f in reader]
        if clip.name != "open.mp4":  # some frames of open groups need the group before
            assert reader.first_decoded == (start if clip.name in SEEKABLE else 0)
        read = reader.timeline.pts
    np.testing.assert_array_equal(read, timeline.pts[reader.first_decoded :][: len(read)])
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one[2], other[2])


@pytest.mark.parametrize("name", SEEKABLE[:-1])
def test_frames_before_the_key_frame_are_not_decoded(name, tmp_path, monkeypatch) -> None:
    codec, options = KINDS[name]
    path = media.write_clip(tmp_path / name, LENGTH, codec=codec, options=options)
    _, timeline = probe(path)
    decoded = []
    decode = VideoSource.decode

    def recording(self, packet):
        frames = decode(self, packet)
        decoded.extend(frames)
        return frames

    monkeypatch.setattr(VideoSource, "decode", recording)
    with FrameReader(path, 70, 75, timeline) as reader:
        assert [frame.index for frame in reader] == [70, 71, 72, 73, 74]
    assert len(decoded) < 45


def test_damage_at_the_end_costs_only_its_frame_after_seeking_too(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 60, options={"g": "1"})
    media.damage_packets(path, [57])
    _, timeline = probe(path)
    with FrameReader(path, 40, None, timeline) as reader:
        stamps = [frame.pts for frame in reader]
        assert reader.first_decoded == 40
    assert stamps == [stamp for i, stamp in enumerate(timeline.pts) if i >= 40 and i != 57]


def test_a_turned_clip_is_turned_after_seeking_too(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", [media.corners()] * 40, options={"g": "20"})
    media.turn_mp4(path, media.MATRICES["quarter right"])
    with FrameReader(path, 30, 31, probe(path)[1]) as reader:
        (picture,) = [frame.rgb() for frame in reader]
        assert reader.first_decoded == 30
    assert picture.shape == (64, 48, 3)
    assert media.corner_names(picture) == ("blue", "red", "white", "green")


@pytest.mark.parametrize("what", ["stamps", "time base"])
def test_a_clip_other_than_expected_is_read_from_its_beginning(tmp_path, what) -> None:
    path = media.write_clip(tmp_path / "a.mp4", LENGTH, options={"g": "20"})
    _, timeline = probe(path)
    if what == "stamps":
        other = Timeline(timeline.pts * 2 + 1, timeline.time_base, 1)
    else:
        other = Timeline(timeline.pts, timeline.time_base * 2, 1)
    with FrameReader(path, 50, 52, other) as reader:
        assert [frame.index for frame in reader] == [50, 51]
        assert reader.first_decoded == 0
