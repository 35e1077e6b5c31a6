"""Copied packets: the first frame at 0, complete tags, the same pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from av.video.reformatter import Colorspace

from tests.support.media import moving_square, read_frames, stamps_seconds, write_clip
from video_cam.video.audio import SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.container import open_video
from video_cam.video.remux import MP4Remux, is_played, write_webm

PARTIAL = {"x264-params": "colormatrix=bt470bg"}  # neither primaries nor transfer nor range


def remux(clip: Path, target: Path) -> Path:
    source = Clip.open(clip)
    start = source.timeline.pts_seconds(0)
    whole = (0, source.timeline.num_frames)
    MP4Remux(source, whole, start, SoundSpan(str(clip), start)).write(target)
    return target


def tags(path: Path, strip: bool = False) -> tuple[int, ...]:
    """Matrix, primaries, transfer and range of a file; ``strip``: of its packets alone."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if not strip:
            context = stream.codec_context
        else:
            context = av.CodecContext.create("h264", "r")
            to_stream = BitStreamFilterContext("h264_mp4toannexb", stream)
            packet = next(p for p in container.demux(stream) if p.size)
            for part in to_stream.filter(packet):
                context.decode(part)
            context.decode(None)
        return (
            context.colorspace,
            context.color_primaries,
            context.color_trc,
            context.color_range,
        )


@pytest.mark.parametrize(
    ("name", "made", "matrix"),
    [
        ("none.mp4", {}, 6),
        ("none.ts", {}, 6),
        ("none.mkv", {}, 6),
        ("partial.mp4", {"options": PARTIAL}, 5),
    ],
)
def test_the_tags_are_complete_in_the_container_and_in_the_packets(
    name: str, made: dict[str, Any], matrix: int, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / name, 6, **made)
    assert 2 in tags(clip)  # unspecified
    copy = remux(clip, tmp_path / "copy.mp4")
    assert tags(copy) == tags(copy, strip=True) == (matrix, 1, 1, 1)
    for ours, theirs in zip(read_frames(copy), read_frames(clip), strict=True):
        np.testing.assert_array_equal(ours.rgb(), theirs.rgb())


def test_hd_without_tags_is_tagged_as_it_is_decoded(tmp_path: Path) -> None:
    pictures = moving_square(2, 1280, 720)
    clip = write_clip(tmp_path / "v.mp4", pictures, colorspace=Colorspace.ITU709)
    assert tags(remux(clip, tmp_path / "copy.mp4"))[0] == 1


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "3"}])
@pytest.mark.parametrize("audio", [None, "aac"])
def test_the_first_frame_is_at_0_without_an_edit_list(
    options: dict[str, str], audio: str | None, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "v.mkv", 20, options=options, audio=audio, pts=range(5, 25))
    copy = remux(clip, tmp_path / "copy.mp4")
    assert stamps_seconds(copy) == [Fraction(i, 25) for i in range(20)]
    with av.open(str(copy), container_options={"ignore_editlist": "1"}) as container:
        stamps = sorted(p.pts for p in container.demux(video=0) if p.size)
    assert stamps[0] == 0


def test_a_webm_has_complete_tags(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.webm", 5, codec="libvpx")
    with open_video(clip, Clip.open(clip).limits) as video:
        assert is_played(video.stream, {"vp8"}) and not is_played(video.stream, {"h264"})
        write_webm(video, tmp_path / "copy.webm")
    assert tags(tmp_path / "copy.webm") == (6, 1, 1, 1)
    assert stamps_seconds(tmp_path / "copy.webm") == stamps_seconds(clip)
