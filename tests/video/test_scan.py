"""What the packets say of a clip is what decoding gives."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tests.support import media
from tests.support.media import is_same_timeline, read_all, read_frames
from video_cam.video import pixels, reader
from video_cam.video.clip import Clip
from video_cam.video.scan import probe

B_FRAMES = {"bf": "3", "b_strategy": "0"}


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", B_FRAMES),
        ("a.mkv", "libx264", "yuv420p", B_FRAMES),
        ("a.mov", "libx264", "yuv420p", B_FRAMES),
        ("a.avi", "mpeg4", "yuv420p", {}),
        ("b.avi", "mpeg4", "yuv420p", {"bf": "2"}),
        ("c.avi", "libx264", "yuv420p", {}),  # the decoder's stamps are out of order
        ("a.webm", "libvpx", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "8"}),
        ("b.webm", "libvpx-vp9", "yuv420p", {"lag-in-frames": "8", "cpu-used": "8"}),
        ("a.ts", "libx264", "yuv420p", B_FRAMES),
        ("a.gif", "gif", "rgb8", {}),
        ("a.h264", "libx264", "yuv420p", {}),  # no stamps at all
    ],
)
def test_packets_agree_with_decoding(tmp_path, name, codec, pix_fmt, options) -> None:
    path = media.write_clip(tmp_path / name, 30, codec=codec, pix_fmt=pix_fmt, options=options)
    info, scanned = probe(path)
    frames = read_all(path)
    assert info.path == str(path)
    assert info.num_frames == frames.num_decoded == 30
    assert (frames.num_damaged, frames.corrupt_indices) == (0, ())
    assert is_same_timeline(frames.timeline, scanned)
    assert is_same_timeline(read_all(path).timeline, scanned)
    assert frames.timeline.last_duration == scanned.last_duration
    assert (info.width, info.height) == (64, 48)
    assert info.frame_rate == 25
    assert info.duration_seconds == pytest.approx(30 / 25, abs=0.002)
    assert info.declared_frames in (30, None)
    assert not info.has_audio
    assert not info.is_still


@pytest.mark.parametrize(
    ("name", "time_base", "pts"),
    [
        ("a.mp4", Fraction(1, 25), [0, 1, 2, 3, 4, 5]),
        ("a.mp4", Fraction(1001, 30000), [0, 1, 2, 3, 4, 5]),
        ("a.mp4", Fraction(1, 90000), [0, 3003, 3004, 9000, 90000, 90001]),
        ("a.mkv", Fraction(1, 1000), [0, 33, 67, 100, 500, 501]),
        ("a.gif", Fraction(1, 100), [0, 5, 7, 12, 100, 103]),
    ],
)
def test_stamps_are_read_exactly(tmp_path, name, time_base, pts) -> None:
    is_gif = name.endswith("gif")
    path = media.write_clip(
        tmp_path / name,
        len(pts),
        pts=pts,
        time_base=time_base,
        codec="gif" if is_gif else "libx264",
        pix_fmt="rgb8" if is_gif else "yuv420p",
        options={} if is_gif else {"bf": "2"},
        # An mp4's edit list counts in these ticks; coarser ones would cut off the last frame.
        container_options={"movie_timescale": "90000"} if name.endswith("mp4") else {},
    )
    expected = [stamp * time_base for stamp in pts]
    _, scanned = probe(path)
    assert [scanned.pts_seconds(i) for i in range(len(pts))] == expected
    frames = list(read_frames(path))
    assert [frame.pts_seconds for frame in frames] == expected
    assert [frame.index for frame in frames] == list(range(len(pts)))


def test_time_0_is_the_earliest_start_of_sound_or_picture(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mkv", 5, pts=[10, 11, 12, 13, 14], audio="aac")
    assert probe(path)[0].has_audio
    assert probe(path)[1].pts_seconds(0) == pytest.approx(Fraction(10, 25), abs=0.03)
    alone = media.write_clip(tmp_path / "b.mkv", 5, pts=[10, 11, 12, 13, 14])
    assert probe(alone)[1].pts_seconds(0) == 0
    assert is_same_timeline(read_all(alone).timeline, probe(alone)[1])


def test_no_frame_comes_before_time_0_when_packets_are_out_of_order(tmp_path) -> None:
    source = media.write_clip(tmp_path / "a.mkv", 5, codec="mjpeg", pix_fmt="yuvj420p")
    path = tmp_path / "b.mkv"
    with av.open(str(source)) as container, av.open(str(path), "w") as output:
        stream = container.streams.video[0]
        copied = output.add_stream_from_template(stream)
        packets = [packet for packet in container.demux(stream) if packet.size]
        for number, (packet, place) in enumerate(zip(packets, [2, 0, 1, 3, 4], strict=True)):
            packet.dts, packet.pts = 4000 + 40 * (number - 3), 4000 + 40 * place
            packet.stream = copied
            output.mux(packet)
    # FFmpeg takes the first packet's stamp for the stream's start.
    for timeline in (probe(path)[1], read_all(path).timeline):
        assert timeline.pts.tolist() == [0, 40, 80, 120, 160]


@pytest.mark.parametrize(("name", "most"), [("a.mp4", 1), ("a.mkv", 1), ("a.h264", 60)])
def test_one_frame_is_decoded_and_none_converted(tmp_path, monkeypatch, name, most) -> None:
    path = media.write_clip(tmp_path / name, 30, options={"bf": "0"})
    decoded, converted = [], []
    decode = reader.VideoSource.decode

    def recording(self, packet):
        frames = decode(self, packet)
        decoded.extend(frames)
        return frames

    monkeypatch.setattr(reader.VideoSource, "decode", recording)
    monkeypatch.setattr(pixels, "to_rgb", converted.append)
    probe(path)
    assert 1 <= len(decoded) <= most
    assert converted == []


def test_an_mp4_that_was_cut_off_declares_more_frames_than_it_holds(tmp_path) -> None:
    pictures = list(np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), np.uint8))
    path = media.write_clip(
        tmp_path / "a.mp4", pictures, container_options={"movflags": "+faststart"}
    )
    media.cut_file(path, 0.5)
    info, _ = probe(path)
    frames = read_all(path)
    assert info.declared_frames == 60
    assert 20 < frames.num_decoded < 40
    assert frames.num_damaged >= 1  # the packet that was cut in two


def test_a_matroska_that_was_cut_off_declares_more_frames_than_it_holds(tmp_path) -> None:
    pictures = list(np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), np.uint8))
    path = media.write_clip(tmp_path / "a.mkv", pictures)
    media.cut_file(path, 0.5)
    info, scanned = probe(path)
    assert info.declared_frames == 60
    assert 20 < info.num_frames < 40
    assert is_same_timeline(read_all(path).timeline, scanned)


def test_frames_hidden_by_an_edit_list_are_not_counted(tmp_path) -> None:
    whole = media.write_clip(tmp_path / "whole.mp4", 75, options=B_FRAMES | {"g": "25"})
    cut = tmp_path / "cut.mp4"
    media.cut_with_edit_list(whole, cut, Fraction(6, 5))
    assert b"elst" in cut.read_bytes()
    info, timeline = probe(cut)
    assert info.num_frames == info.declared_frames == 45
    assert timeline.pts_seconds(0) == 0
    shown, source = read_frames(cut), list(read_frames(whole))[30:]
    for one, other in zip(shown, source, strict=True):
        np.testing.assert_array_equal(one.rgb(), other.rgb())


def test_frames_that_an_edit_list_cuts_off_are_not_missing(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mp4", 80, options=B_FRAMES | {"g": "10"})
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 12  # after version, flags and the number of entries
    (whole,) = struct.unpack_from(">I", data, place)
    struct.pack_into(">I", data, place, whole // 2)
    path.write_bytes(data)
    info, timeline = probe(path)
    assert 35 < info.num_frames < 50
    assert info.declared_frames == info.num_frames == timeline.num_frames


@pytest.mark.parametrize("kept", [[0, 1, 2], [1], [2], [1, 2]])
def test_a_part_of_a_fragmented_mp4_is_whole(tmp_path, kept) -> None:
    """DASH segments after the header of their clip."""
    path = media.write_clip(
        tmp_path / "a.mp4",
        75,
        options={"g": "25", "bf": "2"},
        container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    )
    boxes = top_level_boxes(path.read_bytes())
    header = [box for box in boxes if box[4:8] in (b"ftyp", b"moov")]
    fragments = [box for box in boxes if box[4:8] in (b"moof", b"mdat")]
    path.write_bytes(b"".join(header + [b for i in kept for b in fragments[2 * i : 2 * i + 2]]))
    info, _ = probe(path)
    assert info.num_frames == 25 * len(kept)
    assert info.declared_frames in (info.num_frames, None)


def test_a_fragmented_mp4_that_was_cut_off_declares_more_frames_than_it_holds(tmp_path) -> None:
    path = media.write_clip(
        tmp_path / "a.mp4",
        media.moving_texture(60),
        options={"g": "60"},
        container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    )
    media.cut_file(path, 0.5)
    info, _ = probe(path)
    assert info.num_frames < 50 < info.declared_frames


def top_level_boxes(data: bytes) -> list[bytes]:
    """An mp4's boxes in file order."""
    boxes = []
    while data:
        size = int.from_bytes(data[:4], "big")
        boxes.append(data[:size])
        data = data[size:]
    return boxes


def test_pictures_cut_off_from_what_they_refer_to_are_not_missing(tmp_path) -> None:
    """A recording that begins at an open group: the first pictures shown cannot be decoded."""
    source = media.write_clip(
        tmp_path / "a.ts", 40, codec="mpeg2video", options={"g": "12", "bf": "2"}
    )
    cut = tmp_path / "cut.ts"
    with av.open(str(source)) as container, av.open(str(cut), "w") as output:
        copied = output.add_stream_from_template(container.streams.video[0])
        packets = [packet for packet in container.demux(video=0) if packet.size]
        first = [i for i, packet in enumerate(packets) if packet.is_keyframe][1]
        for packet in packets[first:]:
            packet.stream = copied
            output.mux(packet)
    announced, decoded = Clip.open(cut), Clip.open(cut).decoded()
    assert decoded.timeline.num_frames == announced.timeline.num_frames - 2
    assert decoded.info.declared_frames == decoded.timeline.num_frames


def test_empty_chunks_before_the_first_frame_of_an_avi_are_not_counted(tmp_path) -> None:
    path = media.write_clip(tmp_path / "late.avi", 30, pts=range(40, 70), codec="mpeg4")
    info, timeline = probe(path)
    assert info.num_frames == timeline.num_frames == 30
    assert info.declared_frames == 30


@pytest.mark.parametrize("first_tick", [0, 100])
def test_two_recordings_in_one_file_follow_each_other(tmp_path, first_tick) -> None:
    """The second one's stamps start again at 0."""
    parts = [
        media.write_clip(tmp_path / f"{tick}.ts", 20, pts=range(tick, tick + 20)).read_bytes()
        for tick in (first_tick, 0)
    ]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(parts))
    info, timeline = probe(both)
    assert info.num_frames == 40
    assert is_same_timeline(timeline, read_all(both).timeline)


def test_a_still_image_is_recognized_under_any_name(tmp_path) -> None:
    Image.fromarray(media.corners()).save(tmp_path / "a.dat", format="PNG")
    assert probe(tmp_path / "a.dat")[0].is_still


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.gif", "gif")])
def test_a_video_of_one_frame_is_no_still(tmp_path, name, codec) -> None:
    pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
    path = media.write_clip(tmp_path / name, 1, codec=codec, pix_fmt=pix_fmt)
    info, _ = probe(path)
    assert (info.num_frames, info.is_still) == (1, False)


def test_the_declared_rate_is_kept_where_rounded_stamps_confirm_it(tmp_path) -> None:
    # Matroska rounds stamps to milliseconds.
    info, timeline = probe(media.write_clip(tmp_path / "a.mkv", 40, time_base=Fraction(1, 30)))
    assert info.frame_rate == 30
    assert timeline.frame_rate != 30 and timeline.frame_rate == pytest.approx(30, abs=0.1)


def test_the_rate_of_a_clip_with_uneven_stamps_is_the_average(tmp_path) -> None:
    path = media.write_clip(tmp_path / "a.mkv", 4, pts=[0, 1, 2, 47])
    info, timeline = probe(path)
    assert info.frame_rate == timeline.frame_rate == pytest.approx(4 / (48 / 25), rel=0.2)
