"""The source's sound in a written video: copied or encoded, in time with the picture."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support import media
from tests.support.media import read_frames, write_copy
from video_cam.video import writer
from video_cam.video.audio import SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.writer import VideoFormat, VideoWriter


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
def test_sound_of_codecs_that_mp4_supports_is_copied_bit_for_bit(tmp_path, name, codec) -> None:
    source = media.write_clip(tmp_path / name, 25, audio=codec)
    written = write_copy(source, tmp_path / "out.mp4", SoundSpan(str(source)))
    assert written.audio_problem is None
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
def test_other_sound_is_encoded_as_aac(tmp_path, name, codec, rate, channels) -> None:
    source = media.write_clip(
        tmp_path / name, 25, audio=codec, audio_rate=rate, audio_channels=channels
    )
    written = write_copy(source, tmp_path / "out.mp4", SoundSpan(str(source)))
    assert written.audio_problem is None
    with av.open(str(tmp_path / "out.mp4")) as container:
        audio = container.streams.audio[0].codec_context
        assert (audio.name, audio.layout.nb_channels) == ("aac", min(2, channels))
        last = [packet for packet in container.demux(audio=0) if packet.size][-1]
        assert (last.pts + last.duration) * last.time_base >= Fraction(99, 100)  # of one second
    assert media.stamps_seconds(tmp_path / "out.mp4") == media.stamps_seconds(source)
    assert sound_lag(source, tmp_path / "out.mp4") == pytest.approx(0, abs=0.002)


def sound_lag(source: Path, target: Path) -> float:
    """Seconds by which the target's sound is later than the source's, relative to the picture."""
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


def write_span(source: Path, target: Path) -> None:
    """Write the frames and the sound from 1 s to 3 s."""
    timeline = Clip.open(source).timeline
    form = VideoFormat(64, 48, timeline.time_base, frame_rate=Fraction(25))
    sound = SoundSpan(str(source), Fraction(1), Fraction(3))
    with VideoWriter(target, form, sound) as writer:
        start = int(timeline.pts[25])
        for frame in read_frames(source, 25, 75):
            writer.write(frame.rgb(), frame.pts - start, timeline.duration_ticks(frame.index))


def test_a_span_of_copied_sound_starts_at_zero(tmp_path) -> None:
    source = media.write_clip(tmp_path / "a.mp4", 100, audio="aac")
    write_span(source, tmp_path / "out.mp4")
    whole = media.audio_packets(source)
    part = media.audio_packets(tmp_path / "out.mp4")
    assert part == whole[whole.index(part[0]) : whole.index(part[0]) + len(part)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        stamps = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
    assert -0.025 < stamps[0] <= 0.0
    assert 1.95 < stamps[-1] < 2.0
    assert media.stamps_seconds(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(50)]
    # The packet that began before the span is not heard, and does not move time 0.
    assert Clip.open(tmp_path / "out.mp4").timeline.pts_seconds(0) == 0


def test_a_span_of_encoded_sound_starts_at_zero(tmp_path) -> None:
    source = media.write_clip(tmp_path / "a.mkv", 100, audio="pcm_s16le")
    write_span(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        stamps = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]
    assert stamps[0] == pytest.approx(0, abs=0.05)
    assert stamps[-1] == pytest.approx(2, abs=0.05)


def test_sound_whose_stamps_start_again_is_carried_over(tmp_path) -> None:
    one = media.write_clip(tmp_path / "one.ts", 25, audio="libmp3lame")
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() * 2)
    written = write_copy(both, tmp_path / "out.mp4", SoundSpan(str(both)))
    assert written.audio_problem is None
    assert media.audio_packets(tmp_path / "out.mp4") == media.audio_packets(both)


def test_sound_is_interleaved_with_the_picture(tmp_path) -> None:
    # FFmpeg itself interleaves within 10 seconds.
    source = media.write_clip(tmp_path / "a.mkv", 150, time_base=Fraction(1, 5), audio="pcm_s16le")
    write_copy(source, tmp_path / "out.mp4", SoundSpan(str(source)))
    with av.open(str(tmp_path / "out.mp4")) as container:
        places = [(p.pos, p.dts * p.time_base, p.stream.type) for p in container.demux() if p.size]
    assert {kind for _, _, kind in places} == {"video", "audio"}
    latest = {"video": Fraction(0), "audio": Fraction(0)}
    for _, seconds, kind in sorted(places):
        latest[kind] = seconds
        assert abs(latest["video"] - latest["audio"]) < 2


def test_a_clip_without_sound_gives_a_video_without_sound(tmp_path) -> None:
    source = media.write_clip(tmp_path / "a.mp4", 5)
    assert write_copy(source, tmp_path / "out.mp4", SoundSpan(str(source))).audio_problem is None
    assert Clip.open(tmp_path / "out.mp4").info.num_frames == 5
    assert not Clip.open(tmp_path / "out.mp4").info.has_audio


@pytest.mark.parametrize(
    ("name", "codec", "problem"),
    [
        ("a.mkv", "ac3", r"\d+ damaged packets of sound left out"),
        ("a.ts", "aac", "the sound was dropped: Invalid data found"),
    ],
)
def test_broken_sound_does_not_fail_the_video(tmp_path, name, codec, problem) -> None:
    source = media.write_clip(tmp_path / name, 25, audio=codec)
    data = bytearray(source.read_bytes())
    for packet in media.audio_packets(source)[1:]:
        place = data.find(packet)
        data[place : place + len(packet)] = b"\x55" * len(packet)
    source.write_bytes(data)
    written = write_copy(source, tmp_path / "out.mp4", SoundSpan(str(source)))
    assert re.match(problem, written.audio_problem or "")
    assert Clip.open(tmp_path / "out.mp4").info.num_frames == 25


def test_a_packet_that_was_cut_off_is_left_out(tmp_path) -> None:
    source = media.write_clip(
        tmp_path / "a.mp4", 50, audio="aac", container_options={"movflags": "+faststart"}
    )
    with av.open(str(source)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.size]
    position, size = places[len(places) // 2]
    source.write_bytes(source.read_bytes()[: position + size // 2])
    written = write_copy(source, tmp_path / "out.mp4", SoundSpan(str(source)))
    assert written.audio_problem == "1 damaged packet of sound left out"


def test_sound_that_the_container_refuses_is_left_out(tmp_path, monkeypatch) -> None:
    class Refused:
        """Sound of a codec that mp4 does not have."""

        num_damaged = 0

        def __init__(self, span, output, stack) -> None:
            output.add_stream("wmav2", rate=48000)

    monkeypatch.setattr(writer, "AudioTrack", Refused)
    source = media.write_clip(tmp_path / "a.mp4", 5)
    written = write_copy(source, tmp_path / "out.mp4", SoundSpan(str(source)))
    assert (written.audio_problem or "").startswith("the sound was dropped: ")
    info = Clip.open(tmp_path / "out.mp4").info
    assert (info.num_frames, info.has_audio) == (5, False)


def test_the_sound_of_a_missing_file_is_left_out(tmp_path) -> None:
    source = media.write_clip(tmp_path / "a.mp4", 5)
    written = write_copy(source, tmp_path / "out.mp4", SoundSpan(str(tmp_path / "gone.mp4")))
    assert "gone.mp4: cannot be opened (No such file" in (written.audio_problem or "")
    assert Clip.open(tmp_path / "out.mp4").info.num_frames == 5
