"""Frames that decode although data of them are damaged or missing: which ones, and no others."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.support import media
from video_cam.video import reader
from video_cam.video.container import open_video
from video_cam.video.limits import DEFAULT_LIMITS
from video_cam.video.reader import FrameReader
from video_cam.video.scan import probe

LENGTH = 36
GROUP = {"g": "12"}
B_FRAMES = {"g": "12", "bf": "2", "b_strategy": "0"}
OPEN_GROUPS = {"bf": "3", "g": "12", "x264-params": "open-gop=1"}
# Decoders that say which frames are corrupt.
CODECS = {
    "a.mp4": ("libx264", "yuv420p", B_FRAMES),
    "a.mkv": ("libx264", "yuv420p", GROUP),
    "a.avi": ("mpeg4", "yuv420p", GROUP),
    "b.mp4": ("mpeg4", "yuv420p", B_FRAMES),
    "b.mkv": ("mpeg2video", "yuv420p", GROUP),
    "a.flv": ("flv", "yuv420p", GROUP),
    "a.mov": ("prores_ks", "yuv422p10le", {}),
}


def write(path: Path, codec: str = "libx264", pix_fmt: str = "yuv420p", **options: str) -> Path:
    pictures = media.moving_texture(LENGTH)
    return media.write_clip(path, pictures, codec=codec, pix_fmt=pix_fmt, options=options)


def flagged(path: Path) -> list[int]:
    """The frames that FFmpeg's decoder flags as corrupt."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        return [i for i, f in enumerate(container.decode(video=0)) if f.is_corrupt]


def test_frames_that_the_decoder_flags_are_listed(tmp_path) -> None:
    for name, (codec, pix_fmt, options) in CODECS.items():
        path = write(tmp_path / name, codec, pix_fmt, **options)
        assert media.read_all(path).corrupt_indices == ()
        media.flip_bits(path, [12, 24] if codec == "libx264" else [5, 30])
        read = media.read_all(path)
        assert read.corrupt_indices == tuple(flagged(path)) != (), name
        assert read.num_damaged == 0


@pytest.mark.parametrize(("start", "first"), [(25, 30), (13, 5), (12, 5), (6, 5), (5, 5), (0, 5)])
@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])  # with seeking, and without
def test_a_range_has_the_corrupt_frames_that_it_is_predicted_from(
    name: str, start: int, first: int, tmp_path: Path
) -> None:
    path = write(tmp_path / name, "mpeg4", g="12", sc_threshold="1000000000")
    media.flip_bits(path, [5, 12, 30])
    assert flagged(path) == [5, 12, 30]
    with FrameReader(path, start, 32, probe(path)[1]) as read:
        assert len(list(read)) == 32 - start
    assert read.corrupt_indices == tuple(i for i in (5, 12, 30) if i >= first)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What FFmpeg puts in place of damaged parts is only the same each time with one thread."""
    monkeypatch.setattr(
        reader, "open_video", lambda path, limits, **_: open_video(path, limits, num_threads=1)
    )


@pytest.mark.parametrize("kind", ["a.mp4", "b.mp4", "open.mp4", "a.mkv"])
def test_seeking_among_damaged_frames_gives_the_same_frames(
    kind: str, tmp_path: Path, one_thread: None
) -> None:
    codec, options = {
        "a.mp4": ("libx264", B_FRAMES),
        "b.mp4": ("mpeg4", B_FRAMES),
        "open.mp4": ("libx264", OPEN_GROUPS),
        "a.mkv": ("libx264", {"g": "12", "bf": "0"}),
    }[kind]
    path = write(tmp_path / kind, codec, **options)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    media.flip_bits(path, [next(i for i, p in enumerate(packets) if p.is_keyframe and i > 6)])
    assert flagged(path)
    timeline = probe(path)[1]
    expected = [frame.rgb() for frame in media.read_frames(path)]
    for start in range(9, 33, 3):
        with FrameReader(path, start, None, timeline) as read:
            found = [frame.rgb() for frame in read]
            assert read.first_decoded == start
        for one, other in zip(found, expected[start:], strict=True):
            np.testing.assert_array_equal(one, other)


def test_after_two_damaged_key_frames_decoding_starts_at_the_beginning(
    tmp_path: Path, one_thread: None
) -> None:
    path = write(tmp_path / "a.mp4", g="12", bf="0", sc_threshold="0")
    media.flip_bits(path, [12, 24])
    assert flagged(path) == [12, 24]
    expected = [frame.rgb() for frame in media.read_frames(path, 26)]
    with FrameReader(path, 26, None, probe(path)[1]) as read:
        found = [frame.rgb() for frame in read]
        assert read.first_decoded == 0
    np.testing.assert_array_equal(found, expected)


def test_a_key_frame_that_is_lost_does_not_stop_the_seeking(tmp_path, one_thread) -> None:
    path = write(tmp_path / "a.mp4", g="12", bf="0", sc_threshold="0")
    media.damage_packets(path, [12])
    timeline = probe(path)[1]
    expected = {frame.pts: frame.rgb() for frame in media.read_frames(path)}
    with FrameReader(path, 14, 16, timeline) as read:
        found = [(frame.pts, frame.rgb()) for frame in read]
    assert len(found) == 2
    for pts, picture in found:
        np.testing.assert_array_equal(picture, expected[pts])


def test_frames_of_which_the_container_lost_parts_are_listed(tmp_path) -> None:
    """The decoder of HEVC does not say that a frame is damaged; MPEG-TS counts its parts."""
    codec, options = "libx265", {"x265-params": "log-level=none:keyint=12:bframes=0"}
    path = write(tmp_path / "a.ts", codec, **options)
    data = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    number = next(i for i, p in enumerate(packets) if p.size > 400 and not p.is_keyframe)
    lost = packets[number].pos + 188  # a part of the frame that is not its first one
    path.write_bytes(data[:lost] + data[lost + 188 :])
    assert flagged(path) == []
    assert media.read_all(path).corrupt_indices == (number,)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_recordings_that_were_joined_or_cut_have_no_corrupt_frames(codec, tmp_path) -> None:
    options = OPEN_GROUPS if codec == "libx264" else B_FRAMES
    path = write(tmp_path / "a.ts", codec, **options)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    cut = tmp_path / "cut.ts"
    for packet in (packets[4], next(p for p in packets[5:] if p.is_keyframe)):
        cut.write_bytes(data[packet.pos - packet.pos % 188 :])
        read = media.read_all(cut)
        assert 20 <= read.num_decoded < LENGTH
        assert (read.corrupt_indices, read.num_damaged) == ((), 0)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(data + data)
    read = media.read_all(joined)
    assert read.num_decoded == 2 * LENGTH
    assert (read.corrupt_indices, read.num_damaged) == ((), 0)


def test_packets_that_fail_in_a_decoder_with_threads_are_counted(tmp_path) -> None:
    path = write(tmp_path / "a.mp4", "libsvtav1", preset="12")
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    media.flip_bits(path, [next(i for i, p in enumerate(packets) if 60 < p.size < 200)])
    with open_video(path, DEFAULT_LIMITS, num_threads=1) as source:
        num_frames = len(list(source.frames()))
    read = media.read_all(path)
    assert read.num_decoded == num_frames < LENGTH
    assert read.num_damaged >= source.num_damaged > 0
