"""The copy that browsers play: the source's packets where they can stay, else new ones."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.media import audio_packets, moving_square, stamps_seconds, turn_mp4, write_clip
from tests.support.pages import UNEVEN
from video_cam.video.browser_copy import CleanCopy
from video_cam.video.reader import read_frames
from video_cam.video.scan import probe


def copy_clip(clip: Path, folder: Path, span: tuple[int, int] | None = None) -> CleanCopy:
    info, timeline = probe(clip)
    span = span or (0, timeline.num_frames)
    folder.mkdir()
    with CleanCopy(str(clip), folder, info, timeline, span) as copy:
        for frame in read_frames(clip, *span):
            copy.write(frame, frame.rgb())
    assert [p.name for p in folder.iterdir()] == [copy.path.name]
    return copy


def packets(path: Path) -> list[bytes]:
    import av

    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(video=0) if p.size]


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
    (info, _), (source, _) = probe(copy.path), probe(clip)
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


def test_a_webm_is_taken_as_it_is(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.webm", 10, codec="libvpx")
    copy = copy_clip(clip, tmp_path / "out")
    assert copy.path.name == "clip.webm" and copy.path.read_bytes() == clip.read_bytes()


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("old.avi", {"codec": "mpeg4"}),
        ("444.mp4", {"pix_fmt": "yuv444p"}),
        ("lossless.mkv", {"codec": "ffv1"}),
        # With B-frames and uneven stamps an mp4's durations mislead whoever jumps in it.
        ("vfr.mp4", {"time_base": Fraction(1, 1000), "pts": UNEVEN[:30], "options": {"bf": "2"}}),
    ],
)
def test_what_browsers_do_not_play_or_jump_in_is_encoded(
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
    # From the frame before that can be jumped to, which is every tenth; else from the first.
    assert copy.start_seconds == (Fraction(20, 25) if copy.is_remuxed else 1)
    shown = {stamp + copy.start_seconds: i for i, stamp in enumerate(stamps_seconds(copy.path))}
    assert len(shown) < 30
    frames = [frame.rgb() for frame in read_frames(copy.path)]
    for frame in read_frames(clip, 25, 40):
        ours = frames[shown[frame.pts_seconds]]
        assert np.abs(ours.astype(int) - frame.rgb()).mean() < (1 if copy.is_remuxed else 5)


def test_odd_sizes_are_padded_and_said(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.mkv", moving_square(3, 75, 49), codec="ffv1", pix_fmt="yuv444p")
    copy = copy_clip(clip, tmp_path / "out")
    assert (copy.width, copy.height) == (76, 50)


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.avi", 10, codec="mpeg4")
    info, timeline = probe(clip)
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(KeyboardInterrupt),
        CleanCopy(str(clip), tmp_path / "out", info, timeline, (0, 10)),
    ):
        raise KeyboardInterrupt
    assert list((tmp_path / "out").iterdir()) == []
