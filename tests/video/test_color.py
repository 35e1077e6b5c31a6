"""Decoded frames become full-range RGB: colour space, value range, pixel formats, alpha."""

from __future__ import annotations

import numpy as np
import pytest
from av.video.reformatter import Colorspace
from PIL import Image

from tests.support import media
from tests.support.media import read_frames
from video_cam.video.color import over_black


@pytest.mark.parametrize(
    ("size", "space"), [((320, 240), Colorspace.ITU601), ((1280, 720), Colorspace.ITU709)]
)
def test_untagged_colours_are_decoded_by_the_size(tmp_path, size, space) -> None:
    picture = media.corners(*size)
    path = media.write_clip(
        tmp_path / "a.mp4", [picture], colorspace=space, options={"qp": "4", "preset": "ultrafast"}
    )
    found = next(read_frames(path)).rgb()
    height, width = found.shape[:2]
    for y, x in [(20, 20), (20, width - 20), (height - 20, 20), (height - 20, width - 20)]:
        assert found[y, x].astype(int) == pytest.approx(picture[y, x].astype(int), abs=5)


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
@pytest.mark.parametrize(
    ("tag", "space"), [("bt709", Colorspace.ITU709), ("smpte170m", Colorspace.ITU601)]
)
def test_a_tag_is_believed_whatever_the_size(tmp_path, size, tag, space) -> None:
    picture = media.corners(*size)
    options = {"qp": "4", "preset": "ultrafast", "x264-params": f"colormatrix={tag}"}
    path = media.write_clip(tmp_path / "a.mp4", [picture], colorspace=space, options=options)
    found = next(read_frames(path)).rgb()
    assert found[20, 20].astype(int) == pytest.approx(picture[20, 20].astype(int), abs=5)


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
def test_pixel_formats_keep_their_colours(tmp_path, name, codec, pix_fmt) -> None:
    picture = media.corners(66, 50)
    path = media.write_clip(tmp_path / name, [picture] * 2, codec=codec, pix_fmt=pix_fmt)
    found = next(read_frames(path)).rgb()
    assert found.shape == picture.shape and found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert media.corner_names(found) == ("red", "green", "blue", "white")
    tolerance = 60 if codec == "gif" else 12
    assert np.abs(found[5, 5].astype(int) - media.RED).max() <= tolerance


@pytest.mark.parametrize("width", [65, 66, 67, 68, 70, 852])
def test_every_column_of_a_transparent_video_is_converted(tmp_path, width) -> None:
    picture = np.full((48, width, 3), (200, 120, 90), np.uint8)
    path = media.write_clip(tmp_path / "a.mkv", [picture], codec="ffv1", pix_fmt="yuva420p")
    found = next(read_frames(path)).rgb().astype(int)
    assert np.abs(found - picture).max() <= 3


@pytest.mark.parametrize("codec", ["ffv1", "rawvideo"])
def test_gray_is_full_range(tmp_path, codec) -> None:
    picture = np.full((48, 64, 3), 10, np.uint8)
    picture[:, 32:] = 250
    name = "a.mkv" if codec == "ffv1" else "a.nut"
    path = media.write_clip(tmp_path / name, [picture], codec=codec, pix_fmt="gray")
    found = next(read_frames(path)).rgb()
    assert found[5, 5].tolist() == pytest.approx([10] * 3, abs=2)
    assert found[5, 60].tolist() == pytest.approx([250] * 3, abs=2)


@pytest.mark.parametrize("color_range", ["tv", "pc"])
def test_a_tagged_range_is_used(tmp_path, color_range) -> None:
    picture = np.full((48, 64, 3), 10, np.uint8)
    picture[:, 32:] = 250
    options = {"color_range": color_range}
    path = media.write_clip(
        tmp_path / "a.mkv", [picture], codec="ffv1", pix_fmt="yuv444p", options=options
    )
    found = next(read_frames(path)).rgb()
    assert found[5, 5].tolist() == pytest.approx([10] * 3, abs=2)
    assert found[5, 60].tolist() == pytest.approx([250] * 3, abs=2)


def test_transparent_colours_of_a_palette_are_black(tmp_path) -> None:
    picture = Image.new("P", (32, 24), 0)
    picture.putpalette([250, 250, 250, 30, 200, 30])
    picture.paste(1, (4, 4, 14, 14))
    picture.save(tmp_path / "a.apng", format="PNG", transparency=0)
    found = next(read_frames(tmp_path / "a.apng")).rgb()
    assert found[20, 28].tolist() == [0, 0, 0]
    assert found[8, 8].tolist() == [30, 200, 30]


def test_transparent_parts_of_a_gif_are_black(tmp_path) -> None:
    frames = [Image.new("RGBA", (32, 24), (255, 255, 255, 0)) for _ in range(2)]
    for index, frame in enumerate(frames):
        frame.paste((250, 250, 250, 255), (4 + index, 4, 14, 14))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    picture = next(read_frames(tmp_path / "a.gif")).rgb()
    assert picture[20, 28].tolist() == [0, 0, 0]
    assert picture[8, 8].min() > 240


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [(255, [200, 100, 1]), (0, [0, 0, 0]), (128, [100, 50, 1]), (1, [1, 0, 0])],
)
def test_blending_over_black_rounds_to_the_nearest_level(alpha, expected) -> None:
    rgba = np.array([[[200, 100, 1, alpha], [9, 9, 9, 0]]], np.uint8)
    blended = over_black(rgba)
    assert blended[0].tolist() == [expected, [0, 0, 0]]
    assert blended.dtype == np.uint8


def test_an_opaque_picture_is_unchanged() -> None:
    rgba = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    rgba[..., 3] = 255
    blended = over_black(rgba)
    np.testing.assert_array_equal(blended, rgba[..., :3])
    assert blended.flags.c_contiguous
