"""Reading clips: stamps, pixels, damage, and what is no clip."""

from __future__ import annotations

import gc
import weakref
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import Colorspace
from PIL import Image

from tests.support import media
from video_cam.errors import ClipError, UsageError
from video_cam.video import reader
from video_cam.video.images import is_frame_folder
from video_cam.video.reader import FrameReader, read_frames
from video_cam.video.scan import probe
from video_cam.video.timeline import Timeline, increasing

B_FRAMES = {"bf": "3", "b_strategy": "0"}


def decoded(path: Path) -> FrameReader:
    with FrameReader(path) as frames:
        for _ in frames:
            pass
    return frames


# ---------------------------------------------------------------- timeline


def test_timeline_of_a_variable_rate():
    timeline = Timeline(np.array([0, 5, 7, 12]), Fraction(1, 100), 3)
    assert timeline.num_frames == 4
    assert [timeline.pts_seconds(i) for i in range(4)] == [
        0,
        Fraction(5, 100),
        Fraction(7, 100),
        Fraction(12, 100),
    ]
    assert [timeline.duration_ticks(i) for i in range(4)] == [5, 2, 5, 3]
    assert timeline.duration_seconds == timeline.end_seconds == Fraction(15, 100)
    assert timeline.frame_rate == Fraction(400, 15)
    assert not timeline.is_constant_rate


def test_timeline_that_starts_late_lasts_from_its_first_frame():
    timeline = Timeline(np.array([10, 11]), Fraction(1, 25), 1)
    assert timeline.duration_seconds == Fraction(2, 25)
    assert timeline.end_seconds == Fraction(12, 25)


def test_rounded_milliseconds_are_a_constant_rate():
    assert Timeline(np.array([0, 33, 67, 100, 133]), Fraction(1, 1000), 33).is_constant_rate


@pytest.mark.parametrize(
    ("pts", "last_duration", "expected"),
    [([0, 4, 8, 20], 7, 7), ([0, 4, 8, 20], None, 4), ([0, 4, 8, 20], 0, 4), ([3], None, 40)],
)
def test_last_duration_falls_back_to_the_median_then_to_a_25th(pts, last_duration, expected):
    assert Timeline.from_stamps(pts, Fraction(1, 1000), last_duration).last_duration == expected


def test_same_stamps_needs_the_same_time_base():
    one = Timeline(np.array([0, 1]), Fraction(1, 25), 1)
    assert one.same_stamps(Timeline(np.array([0, 1]), Fraction(1, 25), 9))
    assert not one.same_stamps(Timeline(np.array([0, 1]), Fraction(1, 24), 1))
    assert not one.same_stamps(Timeline(np.array([0, 1, 2]), Fraction(1, 25), 1))


@pytest.mark.parametrize("pts", [[], [0, 0], [2, 1]])
def test_timeline_refuses_stamps_that_do_not_rise(pts):
    with pytest.raises(ValueError, match="strictly increasing"):
        Timeline(np.array(pts), Fraction(1, 25), 1)


@pytest.mark.parametrize(
    ("stamps", "repaired"),
    [
        ([0, 10, 20, 30], [0, 10, 20, 30]),
        ([5], [5]),
        ([-20, -10, 0], [-20, -10, 0]),
        ([0, 20, 10, 30], [0, 10, 20, 30]),  # swapped neighbours
        ([1, 3, 4, 2, 6, 5, 7, 11, 10, 12, 9, 13], [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13]),
        ([0, 10, 10, 25, 40], [0, 10, 20, 25, 40]),  # repeated
        ([0, None, 20, None], [0, 10, 20, 30]),  # missing
        ([None, None, None], [7, 17, 27]),
        ([0, 10, 20, 20, 30, 40], [0, 10, 20, 25, 30, 40]),  # repeated, in the next one's way
        ([*range(0, 100, 10)] * 2, [*range(0, 200, 10)]),  # started again
    ],
)
def test_stamps_are_repaired_to_rise(stamps, repaired):
    assert list(increasing(stamps, 10, start=7)) == repaired


# ---------------------------------------------------------------- scan and decode


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", B_FRAMES),
        ("a.mkv", "libx264", "yuv420p", B_FRAMES),
        ("a.mov", "libx264", "yuv420p", B_FRAMES),
        ("a.avi", "mpeg4", "yuv420p", {}),
        ("b.avi", "mpeg4", "yuv420p", {"bf": "2"}),
        ("c.avi", "libx264", "yuv420p", {}),  # stamps come out of the decoder in disorder
        ("a.webm", "libvpx", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "8"}),
        ("b.webm", "libvpx-vp9", "yuv420p", {"lag-in-frames": "8", "cpu-used": "8"}),
        ("a.ts", "libx264", "yuv420p", B_FRAMES),
        ("a.gif", "gif", "rgb8", {}),
        ("a.h264", "libx264", "yuv420p", {}),  # no stamps at all
    ],
)
def test_scan_agrees_with_decoding(tmp_path, name, codec, pix_fmt, options):
    path = media.write_clip(tmp_path / name, 30, codec=codec, pix_fmt=pix_fmt, options=options)
    info, scanned = probe(path)
    frames = decoded(path)
    assert info.num_frames == frames.num_decoded == 30
    assert frames.num_damaged == 0
    assert frames.timeline.same_stamps(scanned)
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
def test_stamps_are_read_exactly(tmp_path, name, time_base, pts):
    gif = name.endswith("gif")
    path = media.write_clip(
        tmp_path / name,
        len(pts),
        pts=pts,
        time_base=time_base,
        codec="gif" if gif else "libx264",
        pix_fmt="rgb8" if gif else "yuv420p",
        options={} if gif else {"bf": "2"},
        # An mp4's edit list counts in these, and would cut off a last frame it cannot express.
        container_options={"movie_timescale": "90000"} if name.endswith("mp4") else {},
    )
    expected = [stamp * time_base for stamp in pts]
    _, scanned = probe(path)
    assert [scanned.pts_seconds(i) for i in range(len(pts))] == expected
    frames = list(read_frames(path))
    assert [frame.pts_seconds for frame in frames] == expected
    assert [frame.index for frame in frames] == list(range(len(pts)))


def test_frames_come_in_presentation_order(tmp_path):
    pictures = [np.full((48, 64, 3), 40 + 20 * i, np.uint8) for i in range(10)]
    path = media.write_clip(tmp_path / "a.mp4", pictures, options=B_FRAMES)
    brightness = [frame.rgb().mean() for frame in read_frames(path)]
    assert brightness == pytest.approx([40 + 20 * i for i in range(10)], abs=4)


def test_time_zero_is_the_earliest_start_of_sound_or_picture(tmp_path):
    path = media.write_clip(tmp_path / "a.mkv", 5, pts=[10, 11, 12, 13, 14], audio="aac")
    assert probe(path)[1].pts_seconds(0) == pytest.approx(Fraction(10, 25), abs=0.03)
    alone = media.write_clip(tmp_path / "b.mkv", 5, pts=[10, 11, 12, 13, 14])
    assert probe(alone)[1].pts_seconds(0) == 0
    assert decoded(alone).timeline.same_stamps(probe(alone)[1])


def test_a_range_hands_out_only_its_frames(tmp_path):
    path = media.write_clip(tmp_path / "a.mp4", 20)
    assert [f.index for f in read_frames(path, 5, 8)] == [5, 6, 7]
    assert [f.index for f in read_frames(path, 18)] == [18, 19]
    assert list(read_frames(path, 3, 3)) == []
    with FrameReader(path, stop_index=6) as frames:
        assert len(list(frames)) == frames.num_decoded == 6
    with pytest.raises(UsageError, match=r"\[5, 4\)"):
        FrameReader(path, 5, 4)


def test_a_reader_can_be_read_again_and_tells_nothing_before(tmp_path):
    frames = FrameReader(media.write_clip(tmp_path / "a.mp4", 5))
    with pytest.raises(UsageError, match="iterate"):
        _ = frames.timeline
    assert next(iter(frames)).index == 0
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    assert frames.num_decoded == 5


def test_frames_nobody_asks_for_are_never_converted(tmp_path, monkeypatch):
    path = media.write_clip(tmp_path / "a.mp4", 12)
    converted = []

    def counting(picture, turned):
        converted.append(picture.pts)
        return reader_to_rgb(picture, turned)

    reader_to_rgb = reader.to_rgb
    monkeypatch.setattr(reader, "to_rgb", counting)
    probe(path)
    shown = [frame.rgb() for frame in read_frames(path) if frame.index in (3, 7)]
    assert len(shown) == len(converted) == 2


def test_frames_are_let_go_as_the_reader_moves_on(tmp_path):
    path = media.write_clip(tmp_path / "a.mp4", 60)
    alive: weakref.WeakSet = weakref.WeakSet()
    most = 0
    for frame in read_frames(path):
        alive.add(frame)
        most = max(most, len(alive))
    assert most <= 2  # the one in hand and the one the loop is about to let go


def test_pictures_are_let_go_without_the_garbage_collector(tmp_path):
    """A decoded picture that is part of a cycle stays for hundreds of frames more."""
    path = media.write_clip(tmp_path / "a.mp4", 40)
    gc.collect()
    gc.disable()
    try:
        for frame in read_frames(path):
            frame.rgb()
        del frame
        left = [held for held in gc.get_objects() if type(held) is VideoFrame]
    finally:
        gc.enable()
    assert len(left) <= 1  # the first one, which is asked how it is turned


# ---------------------------------------------------------------- pixels


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ("as stored", ("red", "green", "blue", "white")),
        ("quarter right", ("blue", "red", "white", "green")),
        ("half", ("white", "blue", "green", "red")),
        ("quarter left", ("green", "white", "red", "blue")),
        ("mirrored", ("green", "red", "white", "blue")),
        ("upside down", ("blue", "white", "red", "green")),
        ("transposed", ("red", "blue", "green", "white")),
        ("anti-transposed", ("white", "green", "blue", "red")),
    ],
)
def test_pictures_are_turned_as_the_display_matrix_says(tmp_path, matrix, expected):
    path = media.write_clip(
        tmp_path / "a.mp4", [media.corners()] * 2, sample_aspect_ratio=Fraction(4, 3)
    )
    media.turn_mp4(path, media.MATRICES[matrix])
    info, _ = probe(path)
    picture = next(read_frames(path)).rgb()
    turned = media.MATRICES[matrix][0] == 0
    assert (info.width, info.height) == ((48, 64) if turned else (64, 48))
    assert picture.shape == (info.height, info.width, 3)
    assert picture.flags.c_contiguous
    assert media.corner_names(picture) == expected
    assert info.sample_aspect_ratio == (Fraction(3, 4) if turned else Fraction(4, 3))


@pytest.mark.parametrize(
    ("size", "space"), [((320, 240), Colorspace.ITU601), ((1280, 720), Colorspace.ITU709)]
)
def test_untagged_colours_go_by_the_size(tmp_path, size, space):
    picture = media.corners(*size)
    path = media.write_clip(
        tmp_path / "a.mp4", [picture], colorspace=space, options={"qp": "4", "preset": "ultrafast"}
    )
    found = next(read_frames(path)).rgb()
    height, width = found.shape[:2]
    for y, x in [(20, 20), (20, width - 20), (height - 20, 20), (height - 20, width - 20)]:
        assert found[y, x].astype(int) == pytest.approx(picture[y, x].astype(int), abs=5)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mkv", "libx264", "yuv420p10le"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("b.avi", "rawvideo", "bgr24"),
        ("b.mkv", "ffv1", "yuv422p"),
        ("c.mkv", "ffv1", "bgra"),
        ("a.mov", "png", "rgb24"),
        ("a.gif", "gif", "bgr8"),
    ],
)
def test_pixel_formats_keep_their_colours(tmp_path, name, codec, pix_fmt):
    picture = media.corners(66, 50)
    path = media.write_clip(tmp_path / name, [picture] * 2, codec=codec, pix_fmt=pix_fmt)
    found = next(read_frames(path)).rgb()
    assert found.shape == picture.shape
    assert media.corner_names(found) == ("red", "green", "blue", "white")
    tolerance = 60 if codec == "gif" else 12
    assert np.abs(found[5, 5].astype(int) - media.RED).max() <= tolerance


@pytest.mark.parametrize("codec", ["ffv1", "rawvideo"])
def test_gray_is_full_range(tmp_path, codec):
    picture = np.full((48, 64, 3), 10, np.uint8)
    picture[:, 32:] = 250
    name = "a.mkv" if codec == "ffv1" else "a.nut"
    path = media.write_clip(tmp_path / name, [picture], codec=codec, pix_fmt="gray")
    found = next(read_frames(path)).rgb()
    assert found[5, 5].tolist() == pytest.approx([10] * 3, abs=2)
    assert found[5, 60].tolist() == pytest.approx([250] * 3, abs=2)


def test_what_is_transparent_is_black(tmp_path):
    frames = [Image.new("RGBA", (32, 24), (255, 255, 255, 0)) for _ in range(2)]
    for index, frame in enumerate(frames):
        frame.paste((250, 250, 250, 255), (4 + index, 4, 14, 14))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    picture = next(read_frames(tmp_path / "a.gif")).rgb()
    assert picture[20, 28].tolist() == [0, 0, 0]
    assert picture[8, 8].min() > 240


def test_pictures_that_change_size_come_at_the_first_size(tmp_path):
    large = media.write_clip(tmp_path / "large.ts", 4)
    small = media.write_clip(tmp_path / "small.ts", [media.corners(32, 24)] * 4)
    both = tmp_path / "both.ts"
    both.write_bytes(large.read_bytes() + small.read_bytes())
    shapes = [frame.rgb().shape for frame in read_frames(both)]
    assert shapes == [(48, 64, 3)] * 8


# ---------------------------------------------------------------- damage


def test_an_mp4_that_was_cut_off_gives_what_is_there(tmp_path):
    pictures = list(np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), np.uint8))
    path = media.write_clip(
        tmp_path / "a.mp4", pictures, container_options={"movflags": "+faststart"}
    )
    media.cut_file(path, 0.5)
    info, _ = probe(path)
    frames = decoded(path)
    assert info.declared_frames == 60
    assert 20 < frames.num_decoded < 40
    assert frames.num_damaged >= 1  # the packet that was cut in two


def test_a_matroska_that_was_cut_off_gives_what_is_there(tmp_path):
    pictures = list(np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), np.uint8))
    path = media.write_clip(tmp_path / "a.mkv", pictures)
    media.cut_file(path, 0.5)
    info, scanned = probe(path)
    assert info.declared_frames == 60
    assert 20 < info.num_frames < 40
    assert decoded(path).timeline.same_stamps(scanned)


@pytest.mark.parametrize("damaged", [[20], [57], [20, 21, 58]])
def test_damaged_packets_cost_only_their_own_frames(tmp_path, damaged):
    options = {"g": "1"}  # every frame a key frame, so that none needs another
    path = media.write_clip(tmp_path / "a.mp4", 60, options=options)
    media.damage_packets(path, damaged)
    info, scanned = probe(path)
    frames = decoded(path)
    assert info.num_frames == 60
    assert frames.num_decoded == 60 - len(damaged)
    assert frames.num_damaged == len(damaged)
    kept = [stamp for i, stamp in enumerate(scanned.pts) if i not in damaged]
    assert frames.timeline.pts.tolist() == kept


def test_a_clip_of_which_nothing_decodes(tmp_path):
    path = media.write_clip(tmp_path / "a.mp4", 5)
    media.damage_packets(path, range(5))
    with pytest.raises(ClipError, match="no frame can be decoded"):
        probe(path)
    with pytest.raises(ClipError, match="no frame can be decoded"):
        list(read_frames(path))


# ---------------------------------------------------------------- not a clip


def not_a_clip(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "clip.mp4"
    if kind == "text":
        path.write_text("this is no video\n" * 50)
    elif kind == "empty":
        path.touch()
    elif kind == "sound":
        media.write_sound(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "moving text":
        path = path.with_suffix(".nfo")
        path.write_text("".join(f"{i}\n" for i in range(1000)))
    elif kind == "broken picture":
        path = path.with_suffix(".png")
        path.write_bytes(b"\x89PNG\r\n\x1a\n no more")
    elif kind == "network":
        path = path.with_suffix(".m3u8")
        path.write_text("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("empty", "is empty"),
        ("text", "not a video"),
        ("moving text", "not a video"),
        ("sound", "only audio"),
        ("folder", "no images in it"),
        ("broken picture", "not an image"),
        ("network", "a playlist, which is not followed"),
    ],
)
def test_what_is_no_clip_is_told_in_one_line(tmp_path, kind, message):
    path = not_a_clip(tmp_path, kind)
    for use in (probe, lambda p: list(read_frames(p))):
        with pytest.raises(ClipError, match=message) as caught:
            use(path)
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "with space.mp4",
        "100%.mp4",
        "%03d.mp4",
        "-i.mp4",
        "a:b.mp4",
        "http:.mp4",
        "concat:x|y.mp4",
        "two\nlines.mp4",
        "Zürich 日本.mp4",
        "[1]*?.mp4",
        "no_suffix",
    ],
)
def test_any_file_name_will_do(tmp_path, monkeypatch, name):
    media.write_clip(tmp_path / "plain.mp4", 3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(name)[0].num_frames == 3
    assert len(list(read_frames(tmp_path / name))) == 3


# ---------------------------------------------------------------- stills


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tiff", "a.webp", "100%d.PNG"])
def test_a_still_is_a_clip_of_one_frame(tmp_path, name):
    Image.fromarray(media.corners()).save(tmp_path / name)
    info, timeline = probe(tmp_path / name)
    assert (info.width, info.height, info.num_frames, info.is_still) == (64, 48, 1, True)
    assert info.frame_rate == 25
    assert timeline.duration_seconds == Fraction(1, 25)
    (frame,) = read_frames(tmp_path / name)
    assert media.corner_names(frame.rgb()) == ("red", "green", "blue", "white")


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (3, ("white", "blue", "green", "red")),
        (6, ("blue", "red", "white", "green")),
        (8, ("green", "white", "red", "blue")),
        (2, ("green", "red", "white", "blue")),
    ],
)
def test_a_still_is_turned_as_its_exif_says(tmp_path, orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(media.corners()).save(tmp_path / "a.jpg", exif=exif, quality=95)
    info, _ = probe(tmp_path / "a.jpg")
    picture = next(read_frames(tmp_path / "a.jpg")).rgb()
    assert picture.shape == (info.height, info.width, 3)
    assert picture.shape == ((64, 48, 3) if orientation in (6, 8) else (48, 64, 3))
    assert media.corner_names(picture) == expected


def test_a_still_with_alpha_lies_over_black(tmp_path):
    rgba = np.dstack([media.corners(), np.full((48, 64), 255, np.uint8)])
    rgba[:24, :, 3] = 0
    rgba[24:, 32:, 3] = 128
    Image.fromarray(rgba, "RGBA").save(tmp_path / "a.png")
    picture = next(read_frames(tmp_path / "a.png")).rgb()
    assert picture[5, 5].tolist() == [0, 0, 0]
    assert picture[40, 5].tolist() == list(media.BLUE)
    assert picture[40, 60].tolist() == pytest.approx([230 * 128 / 255] * 3, abs=1)


def test_sixteen_bits_and_gray_come_as_eight_bit_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 10), 0x8000, np.uint16))
    assert next(read_frames(tmp_path / "a.png")).rgb().tolist() == [[[128] * 3] * 10] * 8


def test_a_folder_of_numbered_images_is_a_clip_in_the_order_of_its_numbers(tmp_path):
    for number in (10, 9, 100, 1):
        Image.new("RGB", (20, 10), (number, 0, 0)).save(tmp_path / f"frame {number}%.d{number}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    assert is_frame_folder(tmp_path)
    info, timeline = probe(tmp_path)
    assert (info.width, info.height, info.num_frames, info.is_still) == (20, 10, 4, False)
    assert timeline.pts.tolist() == [0, 1, 2, 3]
    assert timeline.time_base == Fraction(1, 25)
    with FrameReader(tmp_path) as frames:
        assert [int(f.rgb()[0, 0, 0]) for f in frames] == [1, 9, 10, 100]
    assert frames.timeline.same_stamps(timeline)
    assert [f.index for f in read_frames(tmp_path, 1, 3)] == [1, 2]


def test_images_of_other_sizes_come_at_the_first_size(tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "1.png")
    Image.new("RGB", (40, 40)).save(tmp_path / "2.png")
    assert [f.rgb().shape for f in read_frames(tmp_path)] == [(10, 20, 3)] * 2


def test_a_folder_whose_images_are_not_numbered_is_no_clip(tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "1.png")
    Image.new("RGB", (20, 10)).save(tmp_path / "cover.png")
    assert not is_frame_folder(tmp_path)
    with pytest.raises(ClipError, match=r"cover\.png ends in no number"):
        probe(tmp_path)
