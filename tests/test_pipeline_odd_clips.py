"""Odd clips all the way through: right, or one clear line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import video_cam
from tests.support import media
from video_cam import Classifier, UsageError
from video_cam.video.scan import probe
from video_cam.video.timeline import Timeline

MILLISECONDS = Fraction(1, 1000)


def through(clip: Path, model: Classifier, out: Path, **options) -> tuple[dict, list[Fraction]]:
    """The summary and the annotated video's time stamps."""
    explanation = video_cam.explain(clip, model, **options)
    summary = video_cam.render(clip, explanation, out, max_keyframes=2)
    return summary, media.stamps_seconds(out / "annotated.mp4")


@pytest.mark.parametrize(
    "pts",
    [
        [0, 33, 67, 100, 500, 501, 900, 1000, 1800, 1850, 2400, 2401],  # variable
        [round(1000 * i / 240) for i in range(60)],  # 240 per second
        [1000 * i for i in range(20)],  # one per second
        [0],  # one frame
    ],
    ids=["variable", "240 fps", "1 fps", "one frame"],
)
def test_rates(pts: list[int], bundled: Classifier, tmp_path: Path) -> None:
    clip = media.write_clip(tmp_path / "v.mkv", len(pts), pts=pts, time_base=MILLISECONDS)
    summary, stamps = through(clip, bundled, tmp_path / "out")
    assert stamps == [Fraction(p, 1000) for p in pts]
    assert summary["clip"]["num_frames"] == len(pts)
    first = summary["windows"][0]
    if first["num_padded"] == 0:
        # Each sample shows what is on display a sixteenth of a second after the one before.
        due = [max(i for i, p in enumerate(pts) if p <= 1 + 62.5 * k) for k in range(16)]
        is_lapse = len(set(due)) == 1  # then the pictures are given one after the other
        assert first["frame_indices"] == (list(range(16)) if is_lapse else due)
    assert summary["windows"][-1]["frame_indices"][-1] == len(pts) - 1


def test_stamps_that_repeat(bundled: Classifier, tmp_path: Path) -> None:
    plain = media.write_clip(
        tmp_path / "plain.nut", 40, pts=[40 * i for i in range(40)], time_base=MILLISECONDS,
        codec="mjpeg", pix_fmt="yuvj420p",
    )  # fmt: skip
    clip = tmp_path / "odd.nut"
    with av.open(str(plain)) as source, av.open(str(clip), "w") as output:
        stream = source.streams.video[0]
        copied = output.add_stream_from_template(stream)
        for number, packet in enumerate(p for p in source.demux(stream) if p.size):
            packet.pts = packet.dts = packet.pts - (number in (10, 20)) * 40
            packet.stream = copied
            output.mux(packet)
    summary, stamps = through(clip, bundled, tmp_path / "out")
    assert len(stamps) == summary["clip"]["num_frames"] == 40
    assert [float(s) for s in stamps] == pytest.approx([i / 25 for i in range(40)], abs=2e-3)


def test_stamps_that_are_missing(bundled: Classifier, tmp_path: Path) -> None:
    clip = media.write_clip(tmp_path / "v.h264", 30)
    assert probe(clip)[1].num_frames == 30
    summary, stamps = through(clip, bundled, tmp_path / "out")
    assert [float(s) for s in stamps] == pytest.approx([i / 25 for i in range(30)], abs=1e-3)
    assert summary["clip"]["num_frames"] == 30


def test_size_and_stamps_that_change_half_way(bundled: Classifier, tmp_path: Path) -> None:
    """Two recordings one behind the other: smaller pictures, stamps that start again."""
    large = media.write_clip(tmp_path / "large.ts", 20)
    small = media.write_clip(tmp_path / "small.ts", media.moving_square(20, 32, 24))
    both = tmp_path / "both.ts"
    both.write_bytes(large.read_bytes() + small.read_bytes())
    summary, stamps = through(both, bundled, tmp_path / "out")
    assert (summary["clip"]["width"], summary["clip"]["height"]) == (64, 48)
    assert len(stamps) == 40 and stamps == sorted(set(stamps))


@pytest.mark.parametrize(("start", "end"), [(5.0, None), (2.0, 2.5), (-3.0, -1.0), (2.0, None)])
def test_a_part_without_frames_is_told(start, end, bundled: Classifier, tmp_path: Path) -> None:
    clip = media.write_clip(tmp_path / "v.mp4", 32, time_base=Fraction(1, 16))
    with pytest.raises(UsageError, match=r"the clip runs from 0\.000 s to 2\.000 s") as caught:
        video_cam.explain(clip, bundled, start=start, end=end)
    assert "\n" not in str(caught.value)


def test_b_frames_cut_by_an_edit_list(bundled: Classifier, tmp_path: Path) -> None:
    """A cut without encoding hides the frames before it behind an edit list."""
    whole = media.write_clip(
        tmp_path / "whole.mp4", 75, options={"bf": "3", "g": "25", "b_strategy": "0"}
    )
    cut = tmp_path / "cut.mp4"
    media.cut_with_edit_list(whole, cut, Fraction(6, 5))
    assert b"elst" in cut.read_bytes()
    _, timeline = probe(cut)
    shown = [frame.rgb() for frame in media.read_frames(cut)]
    assert len(shown) == timeline.num_frames == 45
    source = [frame.rgb() for frame in media.read_frames(whole)][30:]
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(shown, source, strict=True)) == 0
    summary, stamps = through(cut, bundled, tmp_path / "out")
    assert stamps == [timeline.pts_seconds(i) for i in range(45)]
    part, late = through(cut, bundled, tmp_path / "late", start=1.0)
    assert len(late) == 45 - part["clip"]["span"][0]
    assert summary["windows"][-1]["frame_indices"][-1] == 44


@pytest.mark.parametrize("name", ["late.mkv", "late.avi"])
def test_a_clip_whose_stamps_begin_late_is_complete(
    name: str, bundled: Classifier, tmp_path: Path
) -> None:
    """A part of a recording keeps its stamps; AVI counts the empty chunks before it, too."""
    clip = media.write_clip(tmp_path / name, 30, pts=range(40, 70), codec="mpeg4")
    assert video_cam.explain(clip, bundled).notes == ()


def test_stamps_that_only_decoding_tells_are_drawn(
    bundled: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = media.write_clip(tmp_path / "v.mp4", 20)
    explanation = video_cam.explain(clip, bundled)
    info, timeline = probe(clip)
    packets = Timeline(timeline.pts + 1, timeline.time_base, timeline.last_duration)
    monkeypatch.setattr("video_cam.video.clip.probe", lambda *_: (info, packets))
    summary = video_cam.render(clip, explanation, tmp_path / "out", max_keyframes=2)
    assert summary["clip"]["num_frames"] == 20
    media.write_clip(clip, 10)
    with pytest.raises(UsageError, match="has changed since it was explained"):
        video_cam.render(clip, explanation, tmp_path / "out")
