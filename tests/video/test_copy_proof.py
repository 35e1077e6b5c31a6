"""A copy of packets is kept only where it is proven to show the clip."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from tests.support.media import (
    flip_bits,
    moving_square,
    moving_texture,
    read_frames,
    stamps_seconds,
    write_clip,
)
from video_cam.video import copy_proof
from video_cam.video.browser_copy import BrowserCopy
from video_cam.video.clip import Clip
from video_cam.video.copy_proof import shows_the_same
from video_cam.video.reader import FrameReader

COUNT = 30


def copy_of(path: Path, folder: Path) -> BrowserCopy:
    clip = Clip.open(path).decoded()
    folder.mkdir()
    with (
        BrowserCopy(clip, folder, (0, clip.timeline.num_frames)) as copy,
        FrameReader(path) as frames,
    ):
        for frame in frames:
            copy.write(frame, frame.rgb())
    return copy


def raw_stamps(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [f.pts for f in container.decode(video=0) if f.pts is not None]


def bframes_in_avi(folder: Path) -> Path:
    """Its packets are stamped in the order of decoding."""
    options = {"bf": "3", "b-pyramid": "normal"}
    clip = write_clip(folder / "v.avi", COUNT, options=options, audio="pcm_s16le")
    assert raw_stamps(clip) != sorted(raw_stamps(clip))
    return clip


def tags_that_change(folder: Path) -> Path:
    """Two recordings in one stream, of which the second says another matrix."""
    data = b""
    for number, matrix in enumerate(("smpte170m", "bt709")):
        part = folder / f"{number}.ts"
        first = number * COUNT
        options = {"bf": "0", "x264-params": f"colormatrix={matrix}"}
        write_clip(part, COUNT, pts=range(first, first + COUNT), options=options)
        data += part.read_bytes()
    clip = folder / "joined.ts"
    clip.write_bytes(data)
    return clip


def damaged(folder: Path) -> Path:
    """A frame decodes with errors, which every decoder hides in its own way."""
    clip = write_clip(folder / "v.mp4", moving_texture(COUNT), options={"bf": "0", "qp": "20"})
    flip_bits(clip, [7, 8])
    return clip


def full_range(folder: Path) -> Path:
    """Firefox takes it for limited range."""
    return write_clip(folder / "v.mp4", COUNT, pix_fmt="yuvj420p")


@pytest.mark.parametrize("make", [bframes_in_avi, tags_that_change, damaged, full_range])
def test_what_browsers_could_show_in_another_way_is_encoded(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    clip = make(tmp_path)
    copy = copy_of(clip, tmp_path / "out")
    assert not copy.is_remuxed
    assert stamps_seconds(copy.path)[0] == 0
    assert raw_stamps(copy.path) == sorted(raw_stamps(copy.path))
    with FrameReader(clip) as frames:
        for ours, theirs in zip(read_frames(copy.path), frames, strict=True):
            assert np.abs(ours.rgb().astype(int) - theirs.rgb()).mean() < 8
            assert ours.pts_seconds + copy.start_seconds == theirs.pts_seconds


def test_the_first_frame_of_a_late_picture_is_at_0(tmp_path: Path) -> None:
    """The sound before it is left out."""
    clip = write_clip(tmp_path / "v.mkv", COUNT, pts=range(25, 25 + COUNT), audio="aac")
    copy = copy_of(clip, tmp_path / "out")
    assert copy.is_remuxed and copy.start_seconds == 1
    assert stamps_seconds(copy.path) == [Fraction(i, 25) for i in range(COUNT)]
    with av.open(str(copy.path)) as container:
        heard = [p.pts * p.time_base for p in container.demux(audio=0) if p.size]
    assert heard[0] == pytest.approx(0, abs=0.03)
    assert heard[-1] == pytest.approx(COUNT / 25, abs=0.05)


def test_another_clip_of_the_same_shape_is_not_the_same(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.mp4", moving_square(5))
    other = write_clip(tmp_path / "other.mp4", moving_square(10)[5:])
    for path, expected in [(one, True), (other, False)]:
        assert shows_the_same(path, Clip.open(one), (0, 5), Fraction(0)) == expected


def test_of_the_source_only_key_frames_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = Clip.open(write_clip(tmp_path / "v.mp4", 20, options={"g": "8"}))
    decoded: list[bool] = []
    kind = copy_proof._kind

    def recorded(frame: VideoFrame) -> tuple[object, ...]:
        decoded.append(bool(frame.key_frame))
        return kind(frame)

    monkeypatch.setattr(copy_proof, "_kind", recorded)
    assert copy_proof._has_one_set_of_tags(clip)
    assert decoded == [True] * 3
