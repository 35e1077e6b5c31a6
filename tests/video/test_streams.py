"""A file with two video streams: FFmpeg's choice, or the one that is named, everywhere."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

import video_cam
from tests.support import media
from tests.support.explained_clips import explain
from video_cam import UsageError
from video_cam.video.browser_copy import BrowserCopy
from video_cam.video.clip import Clip


@pytest.fixture(scope="module")
def two_streams(tmp_path_factory) -> Path:
    """A Matroska of 20 red frames of 64x48 and 30 blue ones of 128x96."""
    folder = tmp_path_factory.mktemp("streams")
    red, blue = (np.full((h, w, 3), c, np.uint8) for h, w, c in SIZES)
    parts = [
        media.write_clip(folder / "red.mkv", [red] * 20, options={"g": "8"}),
        media.write_clip(folder / "blue.mkv", [blue] * 30, options={"g": "8"}),
    ]
    path = folder / "both.mkv"
    with av.open(str(path), "w") as output:
        sources = [av.open(str(part)) for part in parts]
        streams = [output.add_stream_from_template(s.streams.video[0]) for s in sources]
        for source, stream in zip(sources, streams, strict=True):
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)
            source.close()
    return path


SIZES = ((48, 64, media.RED), (96, 128, media.BLUE))


@pytest.mark.parametrize("number", [None, 0, 1])
def test_the_named_stream_is_read(two_streams, tmp_path, number) -> None:
    clip = Clip.open(two_streams, video_stream=number)
    with av.open(str(two_streams)) as container:
        expected = container.streams.best("video").index if number is None else number
    height, width, color = SIZES[expected]
    assert (clip.info.width, clip.info.height) == (width, height)
    assert clip.info.num_frames == clip.timeline.num_frames == (20, 30)[expected]
    assert clip.info.num_video_streams == 2
    for opened in (clip, clip.decoded()):
        for indices in ((0, 1), (12, 15)):
            with opened.frames(*indices) as reader:
                pictures = [frame.rgb() for frame in reader]
            assert len(pictures) == indices[1] - indices[0]
            np.testing.assert_allclose(pictures[0].mean((0, 1)), color, atol=8)
    with BrowserCopy(clip, tmp_path, (0, clip.timeline.num_frames)) as copy:
        assert copy.is_remuxed
    assert Clip.open(copy.path).info.width == width


def test_a_stream_that_is_not_there_is_one_line_with_those_that_are(two_streams) -> None:
    words = r"both.mkv: no video stream 2; there is 0 \(h264 64x48\), 1 \(h264 128x96\)$"
    with pytest.raises(UsageError, match=words):
        Clip.open(two_streams, video_stream=2)


def test_images_have_no_streams_to_choose_from(tmp_path) -> None:
    media.write_clip(tmp_path / "a.png", 1, codec="png", pix_fmt="rgb24")
    assert Clip.open(tmp_path / "a.png", video_stream=0).info.num_frames == 1
    with pytest.raises(UsageError, match="images have no video stream 1; leave it out"):
        Clip.open(tmp_path / "a.png", video_stream=1)


def test_an_explanation_is_of_the_named_stream(two_streams, bundled) -> None:
    """Also where it is drawn later, from the file's path alone."""
    explanation = explain(two_streams, bundled, video_stream=0)
    assert (explanation.clip.width, explanation.clip.video_stream) == (64, 0)
    video_cam.figure(two_streams, explanation)
