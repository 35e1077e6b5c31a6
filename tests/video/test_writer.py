"""Writing clips: exact stamps, colours, and what is left behind when something fails."""

from __future__ import annotations

import errno
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from tests.support import media
from tests.support.media import is_same_timeline, read_all, read_frames, write_copy
from video_cam.errors import UsageError, VideoCamError
from video_cam.video.audio import SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.timeline import Timeline
from video_cam.video.writer import VideoFormat, VideoWriter

TASKS = Path("/proc/self/task")
AT_25_FPS = VideoFormat(64, 48, time_base=Fraction(1, 25), frame_rate=Fraction(25))


def write(path: Path, timeline: Timeline, width: int = 64, height: int = 48, **options) -> None:
    pictures = media.moving_square(timeline.num_frames, width, height)
    form = VideoFormat(width, height, timeline.time_base, timeline.frame_rate, **options)
    with VideoWriter(path, form) as writer:
        for index, picture in enumerate(pictures):
            writer.write(picture, int(timeline.pts[index]), timeline.duration_ticks(index))


@pytest.mark.parametrize(
    ("time_base", "pts", "last_duration"),
    [
        (Fraction(1, 25), [0, 1, 2, 3, 4], 1),
        (Fraction(1, 1000), [0, 33, 67, 100, 133], 33),
        (Fraction(1001, 30000), [0, 1, 2, 3, 4], 1),
        (Fraction(1001, 30000), [1, 2, 3, 4], 1),  # the first frame is not at 0
        (Fraction(1, 90000), [0, 3003, 6006, 9009], 3003),
        (Fraction(1, 90000), [0, 3, 4, 90000, 90001], 7),
        (Fraction(1, 100), [0, 5, 7, 12, 250], 40),
        (Fraction(1, 14336), [512 * i for i in range(60)], 512),
        (Fraction(1, 1200000), [0, 40040, 80080], 40040),
        (Fraction(1, 25), [0], 3),
        (Fraction(1, 600), [0, 600 * 7200], 600),  # two hours
    ],
)
def test_stamps_and_duration_are_kept_exactly(tmp_path, time_base, pts, last_duration) -> None:
    timeline = Timeline(np.array(pts), time_base, last_duration)
    write(tmp_path / "a.mp4", timeline)
    expected = [stamp * time_base for stamp in pts]
    assert media.stamps_seconds(tmp_path / "a.mp4") == expected
    found = read_all(tmp_path / "a.mp4").timeline
    # Without sound, the first frame is at time 0.
    assert [found.pts_seconds(i) for i in range(len(pts))] == [s - expected[0] for s in expected]
    assert found.duration_seconds == timeline.duration_seconds
    assert is_same_timeline(Clip.open(tmp_path / "a.mp4").timeline, found)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "pts"),
    [
        ("a.mp4", "libx264", "yuv420p", [0, 1, 2, 3, 10, 11]),
        ("a.mkv", "libx264", "yuv420p", [0, 1, 2, 3, 10, 11]),
        ("a.avi", "mpeg4", "yuv420p", [0, 1, 2, 3, 4, 5]),
        ("a.webm", "libvpx", "yuv420p", [0, 1, 2, 3, 10, 11]),
        ("a.gif", "gif", "rgb8", [0, 1, 2, 3, 10, 11]),
    ],
)
def test_a_copy_has_the_stamps_of_its_source(tmp_path, name, codec, pix_fmt, pts) -> None:
    source = media.write_clip(tmp_path / name, len(pts), pts=pts, codec=codec, pix_fmt=pix_fmt)
    write_copy(source, tmp_path / "out.mp4")
    assert media.stamps_seconds(tmp_path / "out.mp4") == media.stamps_seconds(source)
    before, after = Clip.open(source).timeline, Clip.open(tmp_path / "out.mp4").timeline
    assert after.duration_seconds == before.duration_seconds


@pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 48), (64, 47), (33, 21), (1, 1)])
def test_odd_sizes_are_padded_with_their_edge(tmp_path, width, height) -> None:
    picture = np.full((height, width, 3), 200, np.uint8)
    picture[: height // 2, : width // 2] = 100
    form = replace(AT_25_FPS, width=width, height=height)
    with VideoWriter(tmp_path / "a.mp4", form) as writer:
        writer.write(picture, 0, 1)
    found = next(read_frames(tmp_path / "a.mp4")).rgb().astype(int)
    assert found.shape == (height + height % 2, width + width % 2, 3)
    padded = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    assert np.abs(found - padded).max() < 40


def test_colours_come_back(tmp_path) -> None:
    levels = (0, 20, 60, 128, 200, 255)
    patches = [(r, g, b) for r in levels for g in levels for b in levels]  # 216 of 16 x 16
    flat = np.array(patches, np.uint8).reshape(12, 18, 3)
    picture = flat.repeat(16, axis=0).repeat(16, axis=1)
    form = replace(AT_25_FPS, width=picture.shape[1], height=picture.shape[0])
    with VideoWriter(tmp_path / "a.mp4", form) as writer:
        writer.write(picture, 0, 1)
    found = next(read_frames(tmp_path / "a.mp4")).rgb()[8::16, 8::16].astype(int)
    off = np.abs(found - flat)
    assert off.mean() < 2
    assert off.max() <= 10


def test_the_stream_has_the_tags_of_its_colours(tmp_path) -> None:
    write(tmp_path / "a.mp4", Timeline(np.arange(3), Fraction(1, 25), 1))
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert context.color_range == 1  # limited


def test_frames_are_stored_in_the_order_shown(tmp_path) -> None:
    write(tmp_path / "a.mp4", Timeline(np.arange(30), Fraction(1, 25), 1))
    with av.open(str(tmp_path / "a.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert all(packet.pts == packet.dts for packet in packets)


def test_the_index_is_stored_before_the_frames(tmp_path) -> None:
    write(tmp_path / "a.mp4", Timeline(np.arange(3), Fraction(1, 25), 1))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_sample_aspect_ratio_is_kept(tmp_path) -> None:
    ratio = Fraction(64, 51)
    write(tmp_path / "a.mp4", Timeline(np.arange(3), Fraction(1, 25), 1), sample_aspect_ratio=ratio)
    assert Clip.open(tmp_path / "a.mp4").info.sample_aspect_ratio == ratio


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing_behind(tmp_path, error) -> None:
    source = media.write_clip(tmp_path / "a.mp4", 5, audio="aac")
    out = tmp_path / "out"
    out.mkdir()
    with (
        pytest.raises(error),
        VideoWriter(out / "b.mp4", AT_25_FPS, SoundSpan(str(source))) as writer,
    ):
        writer.write(media.corners(), 0, 1)
        raise error
    assert list(out.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_complete(tmp_path) -> None:
    (tmp_path / "a.mp4").write_text("old")
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "a.mp4", AT_25_FPS) as writer:
        writer.write(media.corners(), 0, 1)
        raise RuntimeError
    assert (tmp_path / "a.mp4").read_text() == "old"
    with VideoWriter(tmp_path / "a.mp4", AT_25_FPS) as writer:
        writer.write(media.corners(), 0, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert Clip.open(tmp_path / "a.mp4").info.num_frames == 1


def test_a_video_without_frames_is_refused(tmp_path) -> None:
    with (
        pytest.raises(UsageError, match="no frame was written"),
        VideoWriter(tmp_path / "a.mp4", AT_25_FPS),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_nothing_behind(tmp_path) -> None:
    class FullDisk:
        def mux(self, packet) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with (
        pytest.raises(VideoCamError, match=r"a\.mp4: cannot be written \(No space left"),
        VideoWriter(tmp_path / "a.mp4", AT_25_FPS) as writer,
    ):
        writer.write(media.corners(), 0, 1)
        writer._output = FullDisk()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_overwritten(tmp_path) -> None:
    (tmp_path / "a.mp4").mkdir()
    with (
        pytest.raises(VideoCamError, match=r"a\.mp4: cannot be written \(Is a directory"),
        VideoWriter(tmp_path / "a.mp4", AT_25_FPS) as writer,
    ):
        writer.write(media.corners(), 0, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_missing_folder_is_reported_in_one_line(tmp_path) -> None:
    with (
        pytest.raises(VideoCamError, match=r"a\.mp4: cannot be written \(No such file") as caught,
        VideoWriter(tmp_path / "gone" / "a.mp4", AT_25_FPS),
    ):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["100%d.mp4", "-y.mp4", "a:b.mp4", "two\nlines.mp4", "日本 x.mp4"])
def test_a_file_may_have_any_name(tmp_path, monkeypatch, name) -> None:
    monkeypatch.chdir(tmp_path)
    with VideoWriter(Path(name), AT_25_FPS) as writer:
        writer.write(media.corners(), 0, 1)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("rgb", "pts", "duration", "message"),
    [
        (np.zeros((48, 63, 3), np.uint8), 5, 1, r"\(48, 63, 3\); it must be uint8 \(48, 64, 3\)"),
        (np.zeros((48, 64, 3), np.float32), 5, 1, "float32"),
        (np.zeros((48, 64, 3), np.uint8), 4, 1, "pts 4 with duration 1 after pts 4"),
        (np.zeros((48, 64, 3), np.uint8), 5, 0, "at least 1 tick"),
    ],
)
def test_wrong_frames_are_refused(tmp_path, rgb, pts, duration, message) -> None:
    with VideoWriter(tmp_path / "a.mp4", AT_25_FPS) as writer:
        writer.write(media.corners(), 4, 1)
        with pytest.raises(UsageError, match=message):
            writer.write(rgb, pts, duration)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "0x48 frames"),
        ({"height": -1}, "64x-1 frames"),
        ({"frame_rate": Fraction(0)}, "at 0 per second"),
        ({"time_base": Fraction(0)}, "ticks of 0 s"),
    ],
)
def test_wrong_formats_are_refused(changes, message) -> None:
    with pytest.raises(UsageError, match=message):
        replace(AT_25_FPS, **changes)


@pytest.mark.parametrize("interval", [5, 30])
def test_key_frames_are_at_most_an_interval_apart(tmp_path, interval) -> None:
    timeline = Timeline(np.arange(60), Fraction(1, 25), 1)
    write(tmp_path / "a.mp4", timeline, keyframe_interval=interval)
    with av.open(str(tmp_path / "a.mp4")) as container:
        flags = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    found = [i for i, is_key in enumerate(flags) if is_key]
    assert max(b - a for a, b in pairwise([*found, 60])) <= interval


@pytest.mark.parametrize(
    ("size", "drawn", "encoded"),
    [
        ((16384, 64), (16384, 64), (16384, 64)),
        ((20000, 64), (16384, 52), (16384, 52)),
        ((64, 40001), (26, 16384), (26, 16384)),
        ((10001, 10001), (8192, 8192), (8192, 8192)),
        ((99999, 1), (16384, 1), (16384, 2)),
    ],
)
def test_frames_that_are_too_large_for_the_encoder_are_scaled_down(size, drawn, encoded) -> None:
    form = replace(AT_25_FPS, width=size[0], height=size[1])
    assert form.drawn_size == drawn and form.encoded_size == encoded
    if size == drawn:
        assert form.size_note is None
    else:
        assert f"{size[0]}x{size[1]} pixels were scaled down to {drawn[0]}x{drawn[1]}" in (
            form.size_note or ""
        )


def test_a_wide_frame_is_written_whole(tmp_path) -> None:
    picture = np.zeros((32, 20000, 3), np.uint8)
    picture[:, 10000:] = 200
    form = replace(AT_25_FPS, width=20000, height=32)
    with VideoWriter(tmp_path / "a.mp4", form) as writer:
        writer.write(picture, 0, 1)
    found = next(read_frames(tmp_path / "a.mp4")).rgb()
    assert found.shape == (26, 16384, 3)
    assert found[:, :8000].max() < 20 and found[:, 8400:].min() > 180


@pytest.mark.skipif(not TASKS.exists(), reason="only Linux tells how many threads there are")
def test_small_pictures_are_converted_without_more_threads(tmp_path: Path) -> None:
    """swscale starts threads of its own where it is not told how many."""
    picture = media.moving_square(1)[0]
    num_threads = len(list(TASKS.iterdir()))
    writer = VideoWriter(tmp_path / "a.mp4", AT_25_FPS)
    frame = writer.encodable(picture)
    assert len(list(TASKS.iterdir())) == num_threads
    reformatter = VideoReformatter()
    same = reformatter.reformat(
        VideoFrame.from_ndarray(picture, format="rgb24"),
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        threads=2,
    )
    assert len(list(TASKS.iterdir())) > num_threads
    np.testing.assert_array_equal(frame.to_ndarray(), same.to_ndarray())


def test_small_pictures_give_the_same_bytes_each_time(tmp_path: Path) -> None:
    """With x264's macroblock tree, 60 such videos are nearly always of several kinds."""
    pictures = media.moving_texture(12, 96, 80)
    form = replace(AT_25_FPS, width=96, height=80)
    found = set()
    for _ in range(60):
        with VideoWriter(tmp_path / "a.mp4", form, durable=False) as writer:
            for index, picture in enumerate(pictures):
                writer.write(picture, index, 1)
        found.add((tmp_path / "a.mp4").read_bytes())
    assert len(found) == 1
