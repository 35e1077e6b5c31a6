"""Writing clips: stamps, colours, sound, and what stays behind when something fails."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support import media
from video_cam.errors import UsageError, VideoCamError
from video_cam.video.reader import FrameReader, read_frames
from video_cam.video.scan import probe
from video_cam.video.timeline import Timeline
from video_cam.video.writer import VideoWriter


def write(path: Path, timeline: Timeline, width: int = 64, height: int = 48, **options) -> None:
    pictures = media.moving_square(timeline.num_frames, width, height)
    rate = timeline.frame_rate
    with VideoWriter(
        path, width, height, time_base=timeline.time_base, frame_rate=rate, **options
    ) as writer:
        for index, picture in enumerate(pictures):
            writer.write(picture, int(timeline.pts[index]), timeline.duration_ticks(index))


def copy(source: Path, target: Path, **options) -> VideoWriter:
    """Writes a clip anew, with its sound unless told otherwise."""
    info, timeline = probe(source)
    options.setdefault("audio_from", str(source))
    with VideoWriter(
        target,
        info.width,
        info.height,
        time_base=timeline.time_base,
        frame_rate=info.frame_rate,
        sample_aspect_ratio=info.sample_aspect_ratio,
        **options,
    ) as writer:
        for frame in read_frames(source):
            writer.write(frame.rgb(), frame.pts, timeline.duration_ticks(frame.index))
    return writer


# ---------------------------------------------------------------- stamps


@pytest.mark.parametrize(
    ("time_base", "pts", "last_duration"),
    [
        (Fraction(1, 25), [0, 1, 2, 3, 4], 1),
        (Fraction(1, 1000), [0, 33, 67, 100, 133], 33),
        (Fraction(1001, 30000), [0, 1, 2, 3, 4], 1),
        (Fraction(1001, 30000), [1, 2, 3, 4], 1),  # a first frame that comes late
        (Fraction(1, 90000), [0, 3003, 6006, 9009], 3003),
        (Fraction(1, 90000), [0, 3, 4, 90000, 90001], 7),
        (Fraction(1, 100), [0, 5, 7, 12, 250], 40),
        (Fraction(1, 14336), [512 * i for i in range(60)], 512),
        (Fraction(1, 1200000), [0, 40040, 80080], 40040),
        (Fraction(1, 25), [0], 3),
        (Fraction(1, 600), [0, 600 * 7200], 600),  # two hours
    ],
)
def test_stamps_and_duration_are_kept_exactly(tmp_path, time_base, pts, last_duration):
    timeline = Timeline(np.array(pts), time_base, last_duration)
    write(tmp_path / "a.mp4", timeline)
    expected = [stamp * time_base for stamp in pts]
    assert media.stamps_seconds(tmp_path / "a.mp4") == expected
    found = decoded_timeline(tmp_path / "a.mp4")
    # Alone in its file, the picture's first frame is time 0.
    assert [found.pts_seconds(i) for i in range(len(pts))] == [s - expected[0] for s in expected]
    assert found.duration_seconds == timeline.duration_seconds
    assert probe(tmp_path / "a.mp4")[1].same_stamps(found)


def decoded_timeline(path: Path) -> Timeline:
    with FrameReader(path) as frames:
        for _ in frames:
            pass
    return frames.timeline


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
def test_a_copy_has_the_stamps_of_its_source(tmp_path, name, codec, pix_fmt, pts):
    source = media.write_clip(tmp_path / name, len(pts), pts=pts, codec=codec, pix_fmt=pix_fmt)
    copy(source, tmp_path / "out.mp4", audio_from=None)
    assert media.stamps_seconds(tmp_path / "out.mp4") == media.stamps_seconds(source)
    _, before = probe(source)
    _, after = probe(tmp_path / "out.mp4")
    assert after.duration_seconds == before.duration_seconds


# ---------------------------------------------------------------- pixels


@pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 48), (64, 47), (33, 21), (1, 1)])
def test_odd_sizes_are_padded_with_their_edge(tmp_path, width, height):
    write(tmp_path / "a.mp4", Timeline(np.arange(3), Fraction(1, 25), 1), width, height)
    picture = next(read_frames(tmp_path / "a.mp4")).rgb()
    assert picture.shape == (height + height % 2, width + width % 2, 3)
    inside = picture[:height, :width].astype(int)
    if width % 2 and width > 1:
        assert np.abs(picture[:height, -1].astype(int) - inside[:, -1]).max() <= 24


def test_colours_come_back(tmp_path):
    levels = (0, 20, 60, 128, 200, 255)
    patches = [(r, g, b) for r in levels for g in levels for b in levels]  # 216 of 16 x 16
    flat = np.array(patches, np.uint8).reshape(12, 18, 3)
    picture = flat.repeat(16, axis=0).repeat(16, axis=1)
    size = (picture.shape[1], picture.shape[0])
    with VideoWriter(
        tmp_path / "a.mp4", *size, time_base=Fraction(1, 25), frame_rate=Fraction(25)
    ) as writer:
        writer.write(picture, 0, 1)
    found = next(read_frames(tmp_path / "a.mp4")).rgb()[8::16, 8::16].astype(int)
    off = np.abs(found - flat)
    assert off.mean() < 2
    assert off.max() <= 10


def test_the_stream_is_tagged_as_what_it_is(tmp_path):
    write(tmp_path / "a.mp4", Timeline(np.arange(3), Fraction(1, 25), 1))
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert context.color_range == 1  # limited


def test_the_index_comes_before_the_pictures(tmp_path):
    write(tmp_path / "a.mp4", Timeline(np.arange(3), Fraction(1, 25), 1))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_shape_of_the_pixels_is_kept(tmp_path):
    ratio = Fraction(64, 51)
    write(tmp_path / "a.mp4", Timeline(np.arange(3), Fraction(1, 25), 1), sample_aspect_ratio=ratio)
    assert probe(tmp_path / "a.mp4")[0].sample_aspect_ratio == ratio


# ---------------------------------------------------------------- sound


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "aac"),
        ("a.mkv", "aac"),
        ("a.mov", "aac"),
        ("b.mkv", "libopus"),
        ("b.mp4", "libmp3lame"),
        ("a.avi", "libmp3lame"),
        ("c.mkv", "flac"),
    ],
)
def test_sound_that_mp4_holds_is_copied_bit_for_bit(tmp_path, name, codec):
    source = media.write_clip(tmp_path / name, 25, audio=codec)
    writer = copy(source, tmp_path / "out.mp4")
    assert writer.audio_problem is None
    assert media.audio_packets(tmp_path / "out.mp4") == media.audio_packets(source)
    assert media.stamps_seconds(tmp_path / "out.mp4") == media.stamps_seconds(source)
    assert sound_lag(source, tmp_path / "out.mp4") == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("a.mkv", "pcm_s16le", 48000, 1),
        ("a.avi", "pcm_s16le", 44100, 2),
        ("b.mkv", "ac3", 48000, 6),
        ("c.mkv", "libmp3lame", 8000, 1),
        ("d.mkv", "pcm_s16le", 11111, 1),
    ],
)
def test_other_sound_is_encoded_as_aac(tmp_path, name, codec, rate, channels):
    source = media.write_clip(
        tmp_path / name, 25, audio=codec, audio_rate=rate, audio_channels=channels
    )
    writer = copy(source, tmp_path / "out.mp4")
    assert writer.audio_problem is None
    with av.open(str(tmp_path / "out.mp4")) as container:
        audio = container.streams.audio[0].codec_context
        assert (audio.name, audio.layout.nb_channels) == ("aac", min(2, channels))
    assert media.stamps_seconds(tmp_path / "out.mp4") == media.stamps_seconds(source)
    assert sound_lag(source, tmp_path / "out.mp4") == pytest.approx(0, abs=0.002)


def sound_lag(source: Path, target: Path) -> float:
    """Seconds by which the target's sound trails behind the source's, relative to the picture."""
    return tone_start(target) - tone_start(source)


def tone_start(path: Path) -> float:
    """Seconds from the first frame to the beginning of the tone."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        assert picture.pts is not None
        first = float(picture.pts * picture.time_base)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()
            full_scale = np.iinfo(samples.dtype).max if samples.dtype.kind == "i" else 1
            wave = np.abs(samples.reshape(len(samples), frame.samples, -1)).max(axis=(0, 2))
            loud = np.flatnonzero(wave / full_scale > 0.1)
            if loud.size:
                return frame.time + loud[0] / frame.sample_rate - first
    raise AssertionError(f"{path} is silent")


def test_a_span_of_the_sound_starts_at_zero(tmp_path):
    source = media.write_clip(tmp_path / "a.mp4", 100, audio="aac")
    _, timeline = probe(source)
    with VideoWriter(
        tmp_path / "out.mp4",
        64,
        48,
        time_base=timeline.time_base,
        frame_rate=Fraction(25),
        audio_from=str(source),
        audio_start_seconds=Fraction(1),
        audio_end_seconds=Fraction(3),
    ) as writer:
        start = int(timeline.pts[25])
        for frame in read_frames(source, 25, 75):
            writer.write(frame.rgb(), frame.pts - start, timeline.duration_ticks(frame.index))
    whole = media.audio_packets(source)
    part = media.audio_packets(tmp_path / "out.mp4")
    assert part == whole[whole.index(part[0]) : whole.index(part[0]) + len(part)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        stamps = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
    assert -0.025 < stamps[0] <= 0.0
    assert 1.95 < stamps[-1] < 2.0
    assert media.stamps_seconds(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(50)]


def test_sound_is_interleaved_with_the_picture(tmp_path):
    source = media.write_clip(tmp_path / "a.mkv", 250, audio="pcm_s16le")
    copy(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        places = [(p.pos, p.dts * p.time_base, p.stream.type) for p in container.demux() if p.size]
    behind = {"video": Fraction(0), "audio": Fraction(0)}
    for _, seconds, kind in sorted(places):
        behind[kind] = seconds
        assert abs(behind["video"] - behind["audio"]) < 2


def test_a_clip_without_sound_gives_a_video_without(tmp_path):
    source = media.write_clip(tmp_path / "a.mp4", 5)
    assert copy(source, tmp_path / "out.mp4").audio_problem is None
    assert probe(tmp_path / "out.mp4")[0].num_frames == 5
    assert not probe(tmp_path / "out.mp4")[0].has_audio


@pytest.mark.parametrize(
    ("name", "codec", "problem"),
    [
        ("a.mkv", "ac3", r"\d+ damaged packets of sound left out"),
        ("a.ts", "aac", "the sound was dropped: Invalid data found"),
    ],
)
def test_broken_sound_does_not_fail_the_video(tmp_path, name, codec, problem):
    source = media.write_clip(tmp_path / name, 25, audio=codec)
    data = bytearray(source.read_bytes())
    for packet in media.audio_packets(source)[1:]:
        place = data.find(packet)
        data[place : place + len(packet)] = b"\x55" * len(packet)
    source.write_bytes(data)
    writer = copy(source, tmp_path / "out.mp4")
    assert re.match(problem, writer.audio_problem or "")
    assert probe(tmp_path / "out.mp4")[0].num_frames == 25


def test_sound_from_a_file_that_is_gone(tmp_path):
    source = media.write_clip(tmp_path / "a.mp4", 5)
    writer = copy(source, tmp_path / "out.mp4", audio_from=str(tmp_path / "gone.mp4"))
    assert "gone.mp4: cannot be opened (No such file" in (writer.audio_problem or "")
    assert probe(tmp_path / "out.mp4")[0].num_frames == 5


# ---------------------------------------------------------------- failure


def open_writer(path: Path, **options) -> VideoWriter:
    options = {"time_base": Fraction(1, 25), "frame_rate": Fraction(25)} | options
    return VideoWriter(path, 64, 48, **options)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_stays_when_the_block_is_left_by_an_exception(tmp_path, error):
    source = media.write_clip(tmp_path / "a.mp4", 5, audio="aac")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(error), open_writer(out / "b.mp4", audio_from=str(source)) as writer:
        writer.write(media.corners(), 0, 1)
        raise error
    assert list(out.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    (tmp_path / "a.mp4").write_text("old")
    with pytest.raises(RuntimeError), open_writer(tmp_path / "a.mp4") as writer:
        writer.write(media.corners(), 0, 1)
        raise RuntimeError
    assert (tmp_path / "a.mp4").read_text() == "old"
    with open_writer(tmp_path / "a.mp4") as writer:
        writer.write(media.corners(), 0, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]
    assert probe(tmp_path / "a.mp4")[0].num_frames == 1


def test_a_video_without_frames_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no frame was written"), open_writer(tmp_path / "a.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path):
    with (
        pytest.raises(VideoCamError, match=r"a\.mp4: cannot be written \(No such file") as caught,
        open_writer(tmp_path / "gone" / "a.mp4"),
    ):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["100%d.mp4", "-y.mp4", "a:b.mp4", "two\nlines.mp4", "日本 x.mp4"])
def test_any_name_can_be_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with open_writer(Path(name)) as writer:
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
def test_wrong_frames_are_refused(tmp_path, rgb, pts, duration, message):
    with open_writer(tmp_path / "a.mp4") as writer:
        writer.write(media.corners(), 4, 1)
        with pytest.raises(UsageError, match=message):
            writer.write(rgb, pts, duration)


def test_wrong_settings_are_refused(tmp_path):
    with pytest.raises(UsageError, match="0x48 frames"):
        VideoWriter(tmp_path / "a.mp4", 0, 48, time_base=Fraction(1, 25), frame_rate=Fraction(25))
