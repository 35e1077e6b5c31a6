"""Still images and folders of numbered images are clips."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support import media
from tests.support.media import is_same_timeline, read_frames
from video_cam.config import LimitsConfig
from video_cam.errors import ClipError
from video_cam.video.clip import Clip
from video_cam.video.images import is_frame_folder, numbered_images
from video_cam.video.reader import FrameReader


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tiff", "a.webp", "100%d.PNG"])
def test_a_still_is_a_clip_of_one_frame(tmp_path, name) -> None:
    Image.fromarray(media.corners()).save(tmp_path / name)
    clip = Clip.open(tmp_path / name)
    info = clip.info
    assert (info.width, info.height, info.num_frames, info.is_still) == (64, 48, 1, True)
    assert info.frame_rate == 25
    assert clip.timeline.duration_seconds == Fraction(1, 25)
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
def test_a_still_is_turned_as_its_exif_data_say(tmp_path, orientation, expected) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(media.corners()).save(tmp_path / "a.jpg", exif=exif, quality=95)
    info = Clip.open(tmp_path / "a.jpg").info
    picture = next(read_frames(tmp_path / "a.jpg")).rgb()
    assert picture.shape == (info.height, info.width, 3)
    assert picture.shape == ((64, 48, 3) if orientation in (6, 8) else (48, 64, 3))
    assert media.corner_names(picture) == expected


def test_an_opaque_png_with_alpha_is_turned_too(tmp_path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    rgba = np.dstack([media.corners(), np.full((48, 64), 255, np.uint8)])
    Image.fromarray(rgba, "RGBA").save(tmp_path / "a.png", exif=exif)
    picture = next(read_frames(tmp_path / "a.png")).rgb()
    assert picture.shape == (64, 48, 3)
    assert media.corner_names(picture) == ("blue", "red", "white", "green")


@pytest.mark.parametrize("depth", [8, 16])
def test_a_still_with_alpha_is_blended_over_black(tmp_path, depth) -> None:
    rgba = np.dstack([media.corners(), np.full((48, 64), 255, np.uint8)])
    rgba[:24, :, 3] = 0
    rgba[24:, 32:, 3] = 128
    if depth == 8:
        Image.fromarray(rgba, "RGBA").save(tmp_path / "a.png")
    else:
        bgra = cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA)
        cv2.imwrite(str(tmp_path / "a.png"), bgra.astype(np.uint16) * 257)
    picture = next(read_frames(tmp_path / "a.png")).rgb()
    assert picture[5, 5].tolist() == [0, 0, 0]
    assert picture[40, 5].tolist() == list(media.BLUE)
    assert picture[40, 60].tolist() == pytest.approx([230 * 128 / 255] * 3, abs=1)


def test_sixteen_bit_gray_becomes_eight_bit_rgb(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 10), 0x8000, np.uint16))
    assert next(read_frames(tmp_path / "a.png")).rgb().tolist() == [[[128] * 3] * 10] * 8


def test_a_folder_of_numbered_images_is_a_clip_in_the_order_of_its_numbers(tmp_path) -> None:
    for number in (10, 9, 100, 1):
        Image.new("RGB", (20, 10), (number, 0, 0)).save(tmp_path / f"frame {number}%.d{number}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / ".thumbnail.png").write_text("hidden")
    assert is_frame_folder(tmp_path)
    clip = Clip.open(tmp_path)
    info = clip.info
    assert (info.width, info.height, info.num_frames, info.is_still) == (20, 10, 4, False)
    assert clip.timeline.pts.tolist() == [0, 1, 2, 3]
    assert clip.timeline.time_base == Fraction(1, 25)
    with FrameReader(tmp_path) as frames:
        assert [int(f.rgb()[0, 0, 0]) for f in frames] == [1, 9, 10, 100]
    assert is_same_timeline(frames.timeline, clip.timeline)
    assert [f.index for f in read_frames(tmp_path, 1, 3)] == [1, 2]


def test_images_of_different_sizes_get_the_size_of_the_first(tmp_path) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "1.png")
    Image.new("RGB", (40, 40)).save(tmp_path / "2.png")
    assert [f.rgb().shape for f in read_frames(tmp_path)] == [(10, 20, 3)] * 2


def test_a_folder_with_an_unnumbered_image_is_no_clip(tmp_path) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "1.png")
    Image.new("RGB", (20, 10)).save(tmp_path / "cover.png")
    assert not is_frame_folder(tmp_path)
    with pytest.raises(ClipError, match=r"cover\.png ends in no number"):
        Clip.open(tmp_path)


def test_a_folder_without_images_is_no_clip(tmp_path) -> None:
    assert not is_frame_folder(tmp_path)
    assert not is_frame_folder(tmp_path / "gone")
    with pytest.raises(ClipError, match="no images in it"):
        Clip.open(tmp_path)


def test_a_folder_of_too_many_images_is_refused(tmp_path) -> None:
    for number in range(4):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{number}.png")
    assert len(numbered_images(tmp_path, LimitsConfig(max_frames=4))) == 4
    with pytest.raises(ClipError, match="more than 3 frames"):
        numbered_images(tmp_path, LimitsConfig(max_frames=3))
