"""The copy that browsers play: the source's packets where possible, else encoded frames."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support.media import (
    audio_packets,
    moving_square,
    read_frames,
    stamps_seconds,
    turn_mp4,
    write_clip,
)
from tests.support.pages import UNEVEN
from video_cam.video.browser_copy import BrowserCopy, is_encoded
from video_cam.video.clip import Clip


def copy_clip(path: Path, folder: Path, span: tuple[int, int] | None = None) -> BrowserCopy:
    clip = Clip.open(path)
    span = span or (0, clip.info.num_frames)
    folder.mkdir()
    with BrowserCopy(clip, folder, span) as copy:
        for frame in read_frames(path, *span):
            copy.write(frame, frame.rgb())
    assert [p.name for p in folder.iterdir()] == [copy.path.name]
    return copy


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(video=0) if p.size]


def test_an_array_is_encoded_for_browsers(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack(moving_square(6)))
    copy = copy_clip(tmp_path / "a.npy", tmp_path / "out")
    assert not copy.is_remuxed and Clip.open(copy.path).info.num_frames == 6
    assert is_encoded(Clip.open(tmp_path / "a.npy"))


def test_wide_colours_are_converted_for_browsers(tmp_path: Path) -> None:
    options = {"x264-params": "colorprim=bt2020:transfer=bt709:colormatrix=bt709"}
    clip = write_clip(tmp_path / "a.mp4", 5, options=options)
    copy = copy_clip(clip, tmp_path / "out")
    assert not copy.is_remuxed
    ours, theirs = next(read_frames(copy.path)).rgb(), next(read_frames(clip)).rgb()
    assert np.abs(ours.astype(int) - theirs).mean() < 3


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("plain.mp4", {}),
        ("b.mp4", {"options": {"bf": "3", "g": "12"}, "audio": "aac"}),
        ("vfr.mkv", {"time_base": Fraction(1, 1000), "pts": UNEVEN[:30], "options": {"bf": "0"}}),
        ("wide.mp4", {"sample_aspect_ratio": Fraction(4, 3)}),
        ("sound.mkv", {"audio": "pcm_s16le"}),
    ],
)
def test_h264_is_remuxed(name: str, made: dict, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / name, 30, **made)
    copy = copy_clip(clip, tmp_path / "out")
    assert copy.is_remuxed and copy.path.name == "clip.mp4" and copy.start_seconds == 0
    assert stamps_seconds(copy.path) == stamps_seconds(clip)
    assert len(packets(copy.path)) == len(packets(clip))
    if "audio" in made:
        assert len(audio_packets(copy.path)) > 10
    info, source = Clip.open(copy.path).info, Clip.open(clip).info
    assert (info.width, info.height, info.sample_aspect_ratio) == (
        source.width,
        source.height,
        source.sample_aspect_ratio,
    )
    for ours, theirs in zip(read_frames(copy.path), read_frames(clip), strict=True):
        np.testing.assert_array_equal(ours.rgb(), theirs.rgb())


def test_a_turned_clip_stays_turned(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.mp4", 5)
    turn_mp4(clip, (0, 1, -1, 0))
    copy = copy_clip(clip, tmp_path / "out")
    assert copy.is_remuxed and (copy.width, copy.height) == (48, 64)
    np.testing.assert_array_equal(next(read_frames(copy.path)).rgb(), next(read_frames(clip)).rgb())


@pytest.mark.parametrize("audio", [None, "libopus"])
def test_a_webm_is_remuxed_as_a_webm(audio: str | None, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.webm", 30, codec="libvpx", audio=audio)
    copy = copy_clip(clip, tmp_path / "out")
    assert copy.path.name == "clip.webm" and packets(copy.path) == packets(clip)
    assert stamps_seconds(copy.path) == stamps_seconds(clip)
    if audio:
        assert audio_packets(copy.path) == audio_packets(clip)
        assert sound_stamps(copy.path) == sound_stamps(clip)


def sound_stamps(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [p.pts * p.time_base for p in container.demux(audio=0) if p.size]


SECRETS = ("SECRET TITLE", "SECRET COMMENT", "+48.1234", "SECRET HANDLER", "SECRET CHAPTER")


def with_foreign_metadata(source: Path, target: Path) -> Path:
    """A copy with every kind of metadata, a chapter and, where it can be, a data stream."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        title, comment, place, handler, chapter = SECRETS
        output.metadata.update(title=title, comment=comment, location=f"{place}+011.5432/")
        copies = {}
        for stream in container.streams:
            copies[stream.index] = output.add_stream_from_template(stream)
            copies[stream.index].metadata.update(title=title, handler_name=handler, language="deu")
        output.set_chapters(
            [
                {
                    "id": 1,
                    "start": 0,
                    "end": 100,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": chapter},
                }
            ]
        )
        if target.suffix == ".mkv":
            output.add_attachment("SECRET COMMENT.ttf", "font/ttf", SECRETS[1].encode())
        for packet in container.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                output.mux(packet)
    return target


@pytest.mark.parametrize(
    ("name", "made", "is_remuxed"),
    [
        ("v.mp4", {"audio": "aac"}, True),
        ("v.mkv", {"audio": "aac"}, True),
        ("v.webm", {"codec": "libvpx", "audio": "libopus"}, True),
        ("v.mov", {"codec": "mpeg4", "audio": "aac"}, False),
    ],
)
def test_foreign_metadata_is_not_carried_over(
    name: str, made: dict, is_remuxed: bool, tmp_path: Path
) -> None:
    plain = write_clip(tmp_path / f"plain-{name}", 10, **made)
    clip = with_foreign_metadata(plain, tmp_path / name)
    written = {secret for secret in SECRETS if secret.encode() in clip.read_bytes()}
    assert len(written) >= 4  # the container has them
    copy = copy_clip(clip, tmp_path / "out")
    data = copy.path.read_bytes()
    assert copy.is_remuxed == is_remuxed
    assert not [secret for secret in SECRETS if secret.encode() in data]
    with av.open(str(copy.path)) as container:
        assert not container.chapters()
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert {stream.metadata.get("language", "und") for stream in container.streams} == {"und"}
    assert stamps_seconds(copy.path) == stamps_seconds(clip)
    assert audio_packets(copy.path) == audio_packets(clip)


def test_a_webm_that_does_not_start_at_0_is_not_copied_as_it_is(tmp_path: Path) -> None:
    """Browsers count from the stamp 0, not from the first frame."""
    clip = write_clip(tmp_path / "v.webm", 10, codec="libvpx", pts=range(10, 20))
    copy = copy_clip(clip, tmp_path / "out")
    assert copy.path.name == "clip.mp4"
    assert stamps_seconds(copy.path) == [Fraction(i, 25) for i in range(10)]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("old.avi", {"codec": "mpeg4"}),
        ("444.mp4", {"pix_fmt": "yuv444p"}),
        ("lossless.mkv", {"codec": "ffv1"}),
        # With B-frames and uneven stamps an mp4's durations are wrong, and browsers seek by them.
        ("vfr.mp4", {"time_base": Fraction(1, 1000), "pts": UNEVEN[:30], "options": {"bf": "2"}}),
    ],
)
def test_what_browsers_cannot_play_or_seek_in_is_encoded(
    name: str, made: dict, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / name, moving_square(30, 66, 48), **made)
    copy = copy_clip(clip, tmp_path / "out")
    assert not copy.is_remuxed
    assert stamps_seconds(copy.path) == stamps_seconds(clip)
    for ours, theirs in zip(read_frames(copy.path), read_frames(clip), strict=True):
        assert np.abs(ours.rgb().astype(int) - theirs.rgb()).mean() < 5


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_span_is_cut_out(codec: str, tmp_path: Path) -> None:
    options = {"bf": "2", "g": "10"} if codec == "libx264" else {}
    clip = write_clip(tmp_path / "v.mp4", 60, codec=codec, options=options, audio="aac")
    copy = copy_clip(clip, tmp_path / "out", (25, 40))
    assert copy.is_remuxed == (codec == "libx264")
    # Remuxed: from the key frame before the span (every tenth frame). Encoded: from its start.
    assert copy.start_seconds == (Fraction(20, 25) if copy.is_remuxed else 1)
    shown = {stamp + copy.start_seconds: i for i, stamp in enumerate(stamps_seconds(copy.path))}
    assert len(shown) < 30
    frames = [frame.rgb() for frame in read_frames(copy.path)]
    for frame in read_frames(clip, 25, 40):
        ours = frames[shown[frame.pts_seconds]]
        assert np.abs(ours.astype(int) - frame.rgb()).mean() < (1 if copy.is_remuxed else 5)
    with av.open(str(copy.path)) as container:
        heard = [p.pts * p.time_base for p in container.demux(audio=0) if p.size]
    assert heard[0] == pytest.approx(0, abs=0.03)
    assert heard[-1] + copy.start_seconds == pytest.approx(40 / 25, abs=0.03)


def test_browsers_can_seek_to_every_second_of_an_encoded_copy(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.avi", 60, codec="mpeg4")
    copy = copy_clip(clip, tmp_path / "out")
    with av.open(str(copy.path)) as container:
        flags = [p.is_keyframe for p in container.demux(video=0) if p.size]
    found = [i for i, is_key in enumerate(flags) if is_key]
    assert max(b - a for a, b in pairwise([*found, 60])) <= 25


def test_odd_sizes_are_padded_and_reported(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.mkv", moving_square(3, 75, 49), codec="ffv1", pix_fmt="yuv444p")
    copy = copy_clip(clip, tmp_path / "out")
    assert (copy.width, copy.height) == (76, 50)
    assert next(read_frames(copy.path)).rgb().shape == (50, 76, 3)


def test_an_exception_leaves_nothing_behind(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.avi", 10, codec="mpeg4")
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(KeyboardInterrupt),
        BrowserCopy(Clip.open(clip), tmp_path / "out", (0, 10)),
    ):
        raise KeyboardInterrupt
    assert list((tmp_path / "out").iterdir()) == []


def test_a_copy_that_is_scaled_down_has_the_clip_s_pixels_as_its_measure(tmp_path: Path) -> None:
    """A page draws the part of the copy that is not padding: clip.width of copy.width."""
    picture = np.full((61, 20000, 3), 90, np.uint8)
    clip = write_clip(tmp_path / "v.mkv", [picture], codec="ffv1", pix_fmt="yuv444p")
    copy = copy_clip(clip, tmp_path / "out")
    assert copy.width == 20000 and copy.height == pytest.approx(61 * 50 / 49)
    assert next(read_frames(copy.path)).rgb().shape == (50, 16384, 3)
    assert "scaled down to 16384x49" in (copy.size_note or "")
