"""A part of a clip is sought, not decoded from the beginning, and is the same part."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import video_cam
from tests.support import media
from video_cam.video.container import VideoSource
from video_cam.video.reader import FrameReader
from video_cam.video.scan import probe

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


@pytest.fixture(scope="module", params=KINDS)
def clip(request, tmp_path_factory) -> Path:
    codec, options = KINDS[request.param]
    path = tmp_path_factory.mktemp("seek") / request.param
    return media.write_clip(path, LENGTH, codec=codec, options=options)


@pytest.mark.parametrize(("start", "stop"), [(1, 4), (19, 22), (20, 21), (59, None), (89, None)])
def test_what_is_sought_is_what_is_there(clip: Path, start: int, stop: int | None) -> None:
    _, timeline = probe(clip)
    with FrameReader(clip, start, stop) as plain:
        expected = [(f.index, f.pts, f.rgb()) for f in plain]
    with FrameReader(clip, start, stop, timeline) as reader:
        found = [(f.index, f.pts, f.rgb()) for f in reader]
        assert reader.first_decoded in (0, start)
        read = reader.timeline.pts
    np.testing.assert_array_equal(read, timeline.pts[reader.first_decoded :][: len(read)])
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one[2], other[2])


@pytest.mark.parametrize("name", ["b.mp4", "open.mp4", "a.mkv"])
def test_what_lies_before_the_key_frame_is_not_decoded(name, tmp_path, monkeypatch) -> None:
    codec, options = KINDS[name]
    path = media.write_clip(tmp_path / name, LENGTH, codec=codec, options=options)
    _, timeline = probe(path)
    decoded = []
    own = VideoSource.decode

    def counting(self, packet):
        frames = own(self, packet)
        decoded.extend(frames)
        return frames

    monkeypatch.setattr(VideoSource, "decode", counting)
    with FrameReader(path, 70, 75, timeline) as reader:
        assert [frame.index for frame in reader] == [70, 71, 72, 73, 74]
    assert len(decoded) < 45


def test_stamps_that_drift_apart_are_read_from_the_beginning(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", LENGTH, options={"g": "20"})
    _, timeline = probe(path)
    other = type(timeline)(timeline.pts * 2 + 1, timeline.time_base, 1)
    with FrameReader(path, 50, 52, other) as reader:
        assert [frame.index for frame in reader] == [50, 51]
        assert reader.first_decoded == 0


def test_a_late_part_is_explained_as_before(tmp_path, bundled) -> None:
    """The maps of a part are those of the part cut out."""
    pictures = media.moving_square(80, 96, 64)
    whole = media.write_clip(
        tmp_path / "whole.mkv", pictures, time_base=Fraction(1, 16), codec="ffv1", pix_fmt="yuv420p"
    )
    part = media.write_clip(
        tmp_path / "part.mkv", pictures[40:], time_base=Fraction(1, 16), codec="ffv1",
        pix_fmt="yuv420p",
    )  # fmt: skip
    found = video_cam.explain(whole, bundled, start=2.5)
    expected = video_cam.explain(part, bundled)
    np.testing.assert_array_equal(found.frame_indices - 40, expected.frame_indices)
    np.testing.assert_allclose(found.maps[0].values, expected.maps[0].values, rtol=1e-3, atol=1e-5)
