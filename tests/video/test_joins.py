"""Where time stamps jump, the parts of a recording follow each other; the sound stays in step."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from av.format import Flags

from tests.support import media
from tests.support.media import is_same_timeline, read_all
from video_cam.video.audio import SoundSpan
from video_cam.video.clip import Clip
from video_cam.video.joins import StampJoiner

STEP = Fraction(1, 25)


def part(
    folder: Path, name: str, first_seconds: float, audio: str | None = None, num_pictures: int = 20
) -> bytes:
    """A transport stream whose clock begins at ``first_seconds``; its sound is of 20 frames."""
    source = media.write_clip(folder / "source.ts", 20, options={"bf": "2"}, audio=audio)
    left = num_pictures
    with av.open(str(source)) as container, av.open(str(folder / name), "w") as output:
        copied = {s.index: output.add_stream_from_template(s) for s in container.streams}
        for packet in container.demux():
            is_picture = packet.stream.type == "video"
            left -= is_picture
            if packet.size and not (is_picture and left < 0):
                shift = round(Fraction(first_seconds) / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = copied[packet.stream.index]
                output.mux(packet)
    return (folder / name).read_bytes()


def joined(folder: Path, starts: list[float], **options: Any) -> Path:
    path = folder / "joined.ts"
    path.write_bytes(b"".join(part(folder, f"{i}.ts", s, **options) for i, s in enumerate(starts)))
    return path


@pytest.mark.parametrize("starts", [[600, 100], [100, 800], [300, 100, 200], [100, 100]])
def test_parts_of_a_transport_stream_follow_each_other(tmp_path, starts) -> None:
    clip = Clip.open(joined(tmp_path, starts))
    stamps = [clip.timeline.pts_seconds(i) for i in range(clip.timeline.num_frames)]
    assert stamps == [i * STEP for i in range(20 * len(starts))]
    assert clip.info.num_jumps == len(starts) - 1
    assert is_same_timeline(read_all(clip.path).timeline, clip.timeline)
    assert clip.info.declared_frames is None
    with clip.frames(30, 32) as reader:
        assert [frame.index for frame in reader] == [30, 31]


def test_a_short_gap_in_a_transport_stream_is_kept(tmp_path) -> None:
    clip = Clip.open(joined(tmp_path, [100, 105]))
    assert clip.info.num_jumps == 0
    assert clip.timeline.pts_seconds(20) == 5


def test_sound_is_moved_as_the_picture_is(tmp_path) -> None:
    """In each part sound begins as long before its first picture as in the first one."""
    path = joined(tmp_path, [600, 100, 900], audio="mp2")
    times = sound_of_copy(path, tmp_path)
    assert all(0 < later - earlier < 0.1 for earlier, later in pairwise(times))
    assert times[-1] == pytest.approx(60 / 25, abs=0.1)


def test_sound_that_lasts_longer_than_its_picture_does_not_fall_behind(tmp_path) -> None:
    """Of ten parts, each with 0.12 s more sound than picture."""
    starts = [300 * (i % 2) for i in range(10)]
    times = sound_of_copy(joined(tmp_path, starts, audio="mp2", num_pictures=17), tmp_path)
    assert all(0 < later - earlier < 0.1 for earlier, later in pairwise(times))
    whole_parts = 17 / 25 * 9
    assert whole_parts < times[-1] < whole_parts + 20 / 25 + 0.06


def sound_of_copy(path: Path, folder: Path) -> list[float]:
    """When the packets of sound begin in a copy of a clip, in seconds."""
    media.write_copy(path, folder / "copy.mp4", SoundSpan(str(path)))
    with av.open(str(folder / "copy.mp4")) as container:
        return [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.size]


@pytest.mark.parametrize(("hours", "is_kept"), [(1, True), (29, True), (31, False), (8000, False)])
def test_a_gap_of_a_day_in_any_format_is_a_damaged_stamp(tmp_path, hours, is_kept) -> None:
    stamps = [0, 40, 80, 120 + hours * 3_600_000, 160 + hours * 3_600_000]
    path = media.write_clip(tmp_path / "a.mkv", 5, pts=stamps, time_base=Fraction(1, 1000))
    clip = Clip.open(path)
    assert clip.info.num_jumps == (0 if is_kept else 1)
    assert clip.timeline.pts.tolist() == (stamps if is_kept else [0, 40, 80, 120, 160])
    assert is_same_timeline(read_all(path).timeline, clip.timeline)
    with clip.frames(3, 5) as reader:
        pictures = [frame.rgb() for frame in reader]
    for found, expected in zip(pictures, list(media.read_frames(path))[3:], strict=True):
        np.testing.assert_array_equal(found, expected.rgb())


def test_no_step_is_longer_than_an_mp4_can_store(tmp_path) -> None:
    """Six hours in ticks of 1/90000 s fit into 31 bits, seven do not."""
    for hours, num_jumps in ((5.9, 0), (7, 1)):
        stamps = [0, 3600, round(hours * 3600 * 90000)]
        path = media.write_clip(
            tmp_path / "a.nut", 3, pts=stamps, time_base=Fraction(1, 90000), codec="ffv1"
        )
        clip = Clip.open(path)
        assert clip.info.num_jumps == num_jumps
        copy = tmp_path / "copy.mp4"
        media.write_copy(path, copy)
        timeline = clip.timeline
        assert media.stamps_seconds(copy) == [timeline.pts_seconds(i) for i in range(3)]


def stamped(joiner: StampJoiner, stamps: list[int | None]) -> list[int | None]:
    """The stamps of packets of 10 ticks after the joiner has moved them."""
    packets = [SimpleNamespace(pts=s, dts=s, duration=10, size=1) for s in stamps]
    return [packet.pts for packet in joiner.joined(packets)]


def joiner_of(flags: int, **options) -> StampJoiner:
    container = SimpleNamespace(format=SimpleNamespace(flags=flags))
    return StampJoiner(container, Fraction(1, 100), **options)


def test_stamps_after_a_single_damaged_one_stay_as_they_are() -> None:
    stamps = [0, 10, 9_000_020, 30, 40, None, 60]
    assert stamped(joiner_of(Flags.ts_discont.value), stamps) == [0, 10, 20, 30, 40, None, 60]


def test_sound_that_is_missing_for_a_while_stays_where_it_is() -> None:
    """The picture's stamps do not jump there."""
    joiner = joiner_of(Flags.ts_discont.value, picture_offsets=lambda: [])
    assert stamped(joiner, [0, 10, 6000, 6010]) == [0, 10, 6000, 6010]
    moved = joiner_of(Flags.ts_discont.value, picture_offsets=lambda: [Fraction(-60)])
    assert stamped(moved, [0, 10, 6013, 6023]) == [0, 10, 13, 23]
