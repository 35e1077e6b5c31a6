"""A part of a clip is read from the key frame before it, and is the same part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.support import media
from tests.support.media import read_frames
from video_cam.video.container import VideoSource
from video_cam.video.reader import Frame, FrameReader
from video_cam.video.scan import probe
from video_cam.video.timeline import Timeline

LENGTH = 90
KINDS = {
    "b.mp4": ("libx264", {"bf": "3", "g": "20", "b_strategy": "0"}),
    "open.mp4": ("libx264", {"bf": "3", "g": "20", "x264-params": "open-gop=1"}),
    "a.mkv": ("libx264", {"bf": "2", "g": "20"}),
    "a.webm": ("libvpx", {"g": "20", "cpu-used": "8"}),
    "a.avi": ("mpeg4", {"g": "20"}),
    "c.avi": ("libx264", {"bf": "2", "g": "20"}),
    "a.ts": ("libx264", {"bf": "2", "g": "20"}),
    "a.h264": ("libx264", {"g": "20"}),
    "one.mp4": ("libx264", {"bf": "2", "g": "1000"}),  # a single key frame
}
REAL_CLIPS = Path(__file__).parents[2].parent / "shared" / "clips"
CONTAINERS = ("mp4", "mov", "mkv", "avi", "ts")
SEEKABLE = ("b.mp4", "open.mp4", "a.mkv", "a.webm", "one.mp4")


@pytest.fixture(scope="module", params=KINDS)
def clip(request, tmp_path_factory) -> Path:
    codec, options = KINDS[request.param]
    path = tmp_path_factory.mktemp("seek") / request.param
    return media.write_clip(path, LENGTH, codec=codec, options=options)


@pytest.mark.parametrize(("start", "stop"), [(1, 4), (19, 22), (20, 21), (59, None), (89, None)])
def test_seeking_gives_the_same_frames(clip: Path, start: int, stop: int | None) -> None:
    _, timeline = probe(clip)
    expected = [(f.index, f.pts, f.rgb()) for f in read_frames(clip, start, stop)]
    with FrameReader(clip, start, stop, timeline) as reader:
        found = [(f.index, f.pts, f.rgb()) for f in reader]
        if clip.name != "open.mp4":  # some frames of open groups need the group before
            assert reader.first_decoded == (start if clip.name in SEEKABLE else 0)
        read = reader.timeline.pts
    np.testing.assert_array_equal(read, timeline.pts[reader.first_decoded :][: len(read)])
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one[2], other[2])


@pytest.mark.parametrize("name", SEEKABLE[:-1])
def test_frames_before_the_key_frame_are_not_decoded(name, tmp_path, monkeypatch) -> None:
    codec, options = KINDS[name]
    path = media.write_clip(tmp_path / name, LENGTH, codec=codec, options=options)
    _, timeline = probe(path)
    decoded = []
    decode = VideoSource.decode

    def recording(self, packet):
        frames = decode(self, packet)
        decoded.extend(frames)
        return frames

    monkeypatch.setattr(VideoSource, "decode", recording)
    with FrameReader(path, 70, 75, timeline) as reader:
        assert [frame.index for frame in reader] == [70, 71, 72, 73, 74]
    assert len(decoded) < 45


def test_damage_at_the_end_costs_only_its_frame_after_seeking_too(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 60, options={"g": "1"})
    media.damage_packets(path, [57])
    _, timeline = probe(path)
    with FrameReader(path, 40, None, timeline) as reader:
        stamps = [frame.pts for frame in reader]
        assert reader.first_decoded == 40
    assert stamps == [stamp for i, stamp in enumerate(timeline.pts) if i >= 40 and i != 57]


def test_a_turned_clip_is_turned_after_seeking_too(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", [media.corners()] * 40, options={"g": "20"})
    media.turn_mp4(path, media.MATRICES["quarter right"])
    with FrameReader(path, 30, 31, probe(path)[1]) as reader:
        (picture,) = [frame.rgb() for frame in reader]
        assert reader.first_decoded == 30
    assert picture.shape == (64, 48, 3)
    assert media.corner_names(picture) == ("blue", "red", "white", "green")


@pytest.mark.parametrize("what", ["stamps", "time base"])
def test_a_clip_other_than_expected_is_read_from_its_beginning(tmp_path, what) -> None:
    path = media.write_clip(tmp_path / "a.mp4", LENGTH, options={"g": "20"})
    _, timeline = probe(path)
    if what == "stamps":
        other = Timeline(timeline.pts * 2 + 1, timeline.time_base, 1)
    else:
        other = Timeline(timeline.pts, timeline.time_base * 2, 1)
    with FrameReader(path, 50, 52, other) as reader:
        assert [frame.index for frame in reader] == [50, 51]
        assert reader.first_decoded == 0


def remux(source: Path, target: Path, num_packets: int) -> bool:
    """Copy a clip's first packets into another container; False if that cannot hold them."""
    try:
        with av.open(str(source)) as container, av.open(str(target), "w") as output:
            stream = container.streams.video[0]
            copied = output.add_stream_from_template(stream)
            packets = [packet for packet in container.demux(stream) if packet.size]
            for packet in packets[:num_packets]:
                packet.stream = copied
                output.mux(packet)
    except (av.FFmpegError, ValueError):
        return False
    return True


def digests(frames: Iterable[Frame]) -> dict[int, str]:
    """Frame index -> digest of its pixels."""
    return {frame.index: hashlib.sha256(frame.rgb().tobytes()).hexdigest() for frame in frames}


def waves(num_frames: int) -> list[np.ndarray]:
    """uint8 (96, 128, 3) frames: a moving wave with some noise."""
    rng, x = np.random.default_rng(0), np.arange(128)[None, :, None]
    noise = rng.normal(128, 8, (num_frames, 96, 128, 3))
    moving = 60 * np.sin(x / 5 + np.arange(num_frames)[:, None, None, None] / 3)
    return list(np.clip(noise + moving, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_what_only_the_first_packet_says_holds_after_seeking_too(tmp_path, name) -> None:
    """x264 before build 151 wrote 4:4:4 in another way; the first packet has the build."""
    path = media.write_clip(tmp_path / name, waves(30), pix_fmt="yuv444p", options={"g": "10"})
    as_written = digests(read_frames(path, 15, 25))
    timeline = probe(path)[1]
    path.write_bytes(re.sub(rb"(x264 - core )\d{3}", rb"\g<1>142", path.read_bytes()))
    # With several threads, what FFmpeg puts in place of damaged parts differs from run to run.
    expected = digests(FrameReader(path, 15, 25, num_threads=1))
    assert not set(expected.values()) & set(as_written.values())
    assert digests(FrameReader(path, 15, 25, timeline, num_threads=1)) == expected


@pytest.mark.parametrize(
    ("name", "container"),
    [
        *[("armwrestling.mp4", one) for one in CONTAINERS],
        *[("applying_eye_makeup.avi", one) for one in CONTAINERS],
        *[("flipping_a_pancake.mkv", one) for one in CONTAINERS],
        ("cockatoo.mp4", "mkv"),  # of x264's build 142, 4:4:4
    ],
)
def test_ten_places_of_a_real_clip_in_any_container(tmp_path, name: str, container: str) -> None:
    source, target = REAL_CLIPS / name, tmp_path / f"a.{container}"
    if not source.exists():
        pytest.skip("the shared clips are not beside this checkout")
    if not remux(source, target, 90):
        pytest.skip(f"{container} cannot hold this codec")
    _, timeline = probe(target)
    places = range(timeline.num_frames // 20, timeline.num_frames, timeline.num_frames // 10)
    expected = digests(f for f in read_frames(target, 1) if f.index in places)
    for place in places:
        with FrameReader(target, place, place + 1, timeline) as reader:
            assert digests(reader) == {place: expected[place]}
