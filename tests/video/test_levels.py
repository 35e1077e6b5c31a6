"""Pictures of more than 8 bits: the range of their data is shown, one range for a whole clip."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.media import read_frames, write_gray16
from video_cam import ClipError
from video_cam.video.clip import Clip
from video_cam.video.levels import Levels, notes, of_maximum, of_range, spread, to_levels


def ramp(highest: int, width: int = 40) -> np.ndarray:
    """uint16 (8, width): from 0 to ``highest``."""
    return np.tile(np.linspace(0, highest, width).astype(np.uint16), (8, 1))


@pytest.mark.parametrize(
    ("maximum", "white"), [(200, 255), (900, 1023), (4000, 4095), (9000, 16383), (40000, 65535)]
)
def test_the_depth_of_the_data_is_white(tmp_path, maximum, white) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), ramp(maximum))
    clip = Clip.open(tmp_path / "a.png")
    assert clip.info.levels == Levels(0, white)
    brightest = clip.frames_at([0])[0].max()
    assert brightest == pytest.approx(255 * maximum / white, abs=1)
    assert len(clip.info.conversions) == (white != 65535)


def test_a_note_says_which_values_are_black_and_white(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "a.tif"), ramp(4000))
    (note,) = Clip.open(tmp_path / "a.tif").info.conversions
    assert "values from 0 to 4095 are shown as black to white; --bit-depth" in note


@pytest.mark.parametrize(("bit_depth", "brightest"), [(16, 15), (12, 250), (10, 255)])
def test_the_user_may_say_the_depth(tmp_path, bit_depth, brightest) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), ramp(4000))
    clip = Clip.open(tmp_path / "a.png", bit_depth=bit_depth)
    assert clip.frames_at([0])[0].max() == brightest


def test_a_depth_changes_nothing_in_pictures_of_8_bits(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((8, 8), 200, np.uint8))
    clip = Clip.open(tmp_path / "a.png", bit_depth=12)
    assert clip.frames_at([0])[0].max() == 200
    assert clip.info.levels is None and clip.info.conversions == ()


def test_a_folder_has_one_range_for_all_its_pictures(tmp_path) -> None:
    for number, highest in enumerate((200, 900, 4000)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), ramp(highest))
    clip = Clip.open(tmp_path)
    assert [picture.max() for picture in clip.frames_at(range(3)).values()] == [12, 56, 250]


def test_a_picture_beyond_the_range_of_those_looked_at_is_not_clipped_in_silence(tmp_path) -> None:
    for number in range(40):
        cv2.imwrite(str(tmp_path / f"{number}.png"), ramp(9000 if number == 3 else 900, 8))
    with pytest.raises(ClipError, match=r"3\.png: a picture holds the value 9000.*--bit-depth 16"):
        Clip.open(tmp_path).frames_at(range(40))
    clip = Clip.open(tmp_path, bit_depth=10)
    assert clip.frames_at([3])[3].max() == 255


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "ffv1"), ("a.nut", "rawvideo")])
def test_the_depth_of_a_stream_of_16_bits_is_found(tmp_path, name, codec) -> None:
    path = write_gray16(tmp_path / name, [ramp(2000), ramp(4000)], codec)
    clip = Clip.open(path)
    assert clip.info.levels == Levels(0, 4095, clips=False)
    assert [picture.max() for picture in clip.frames_at([0, 1]).values()] == [125, 250]


def test_a_reader_without_a_range_shows_the_whole_of_16_bits(tmp_path) -> None:
    path = write_gray16(tmp_path / "a.mkv", [ramp(4000)], "ffv1")
    assert next(read_frames(path)).rgb().max() == pytest.approx(16, abs=1)


def test_a_format_that_knows_its_depth_is_believed(tmp_path) -> None:
    """A dark picture of 10 bits holds no value above 255 and stays dark."""
    if not cv2.haveImageWriter("a.avif"):
        pytest.skip("OpenCV is built without AVIF")
    options = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
    cv2.imwrite(str(tmp_path / "a.avif"), np.full((16, 16, 3), 200, np.uint16), options)
    clip = Clip.open(tmp_path / "a.avif")
    assert clip.info.levels is None
    assert clip.frames_at([0])[0].max() == pytest.approx(50, abs=2)


def test_decimal_numbers_of_a_tiff_are_shown(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "a.tif"), ramp(4000).astype(np.float32) / 4000)
    clip = Clip.open(tmp_path / "a.tif")
    assert (clip.info.levels, clip.frames_at([0])[0].max()) == (Levels(0, 1), 255)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 0.7, (0, 1)), (0, 200, (0, 255)), (-0.5, 1, (-1, 1)), (-40, 3000, (-40, 3000))],
)
def test_usual_ranges_of_decimal_numbers_are_known(low, high, expected) -> None:
    assert of_range(low, high)[:2] == expected


def test_numbers_become_levels() -> None:
    values = np.array([-1, 0, 0.5, 1, 2, np.nan], np.float32)
    assert to_levels(values, Levels(0, 1), "a").tolist() == [0, 0, 128, 255, 255, 0]
    assert to_levels(np.array([[3, 1]], np.uint16), Levels(0, 3), "a").tolist() == [[255, 85]]


def test_all_values_known_are_a_range_that_clips() -> None:
    assert of_maximum(4000, is_all=True).clips and not of_maximum(4000, is_all=False).clips


def test_the_pictures_looked_at_are_spread_over_the_clip() -> None:
    assert list(spread(3)) == [0, 1, 2]
    assert len(spread(1000)) == 16 and spread(1000)[-1] > 900


def test_a_depth_is_not_for_decimal_numbers(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.full((3, 8, 8), 0.5, np.float32))
    cv2.imwrite(str(tmp_path / "a.tif"), np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    for name in ("a.npy", "a.tif"):
        as_found, with_depth = (Clip.open(tmp_path / name, bit_depth=bits) for bits in (None, 12))
        assert as_found.info.levels == with_depth.info.levels
        np.testing.assert_array_equal(as_found.frames_at([0])[0], with_depth.frames_at([0])[0])


def test_numbers_that_are_not_finite_are_left_out_of_the_range(tmp_path) -> None:
    values = np.linspace(0, 0.9, 64, dtype=np.float32).reshape(8, 8)
    values[0, :2] = np.nan, np.inf
    cv2.imwrite(str(tmp_path / "a.tif"), values)
    clip = Clip.open(tmp_path / "a.tif")
    assert clip.info.levels is not None and clip.info.levels.white == 1
    assert 200 < clip.frames_at([0])[0][-1].max() < 255


def write_pictures(folder, pictures, suffix=".png"):
    """The pictures as numbered images in a folder."""
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"f_{number:02d}{suffix}"), picture)
    return folder


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["8 bits first", "16 bits first"])
def test_pictures_of_8_and_of_16_bits_in_one_folder_are_refused_by_name(tmp_path, order) -> None:
    pair = (np.full((8, 8), 200, np.uint8), ramp(4000, 8))
    write_pictures(tmp_path, [pair[number] for number in order])
    with pytest.raises(ClipError, match=r"f_01\.png: a picture of \d+ bits.*same number of bits"):
        Clip.open(tmp_path).frames_at([0, 1])


def test_a_deep_picture_that_was_not_looked_at_is_refused_when_it_is_read(tmp_path) -> None:
    pictures = [np.full((8, 8), 200, np.uint8)] * 40
    pictures[3] = ramp(4000, 8)
    clip = Clip.open(write_pictures(tmp_path, pictures))
    with pytest.raises(ClipError, match=r"f_03\.png: a picture of 16 bits"):
        clip.frames_at(range(5))


def test_gray_palette_and_alpha_of_8_bits_are_mixed_freely(tmp_path) -> None:
    colour = Image.new("RGB", (8, 8), (200, 100, 50))
    modes = (colour.convert("L"), colour, colour.quantize(2), colour.convert("RGBA"))
    for number, picture in enumerate(modes):
        picture.save(tmp_path / f"f_{number}.png")
    shown = Clip.open(tmp_path).frames_at(range(4))
    assert [picture[3, 3].tolist() for picture in shown.values()] == [
        [124] * 3,
        *[[200, 100, 50]] * 3,
    ]


@pytest.mark.parametrize(("low", "high"), [(-3.0, 1.0), (0.0, 400.0)])
def test_the_range_of_decimal_numbers_is_that_of_all_pictures(tmp_path, low, high) -> None:
    """The fourth picture is not among those that are looked at for whole numbers."""
    pictures = [np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)] * 40
    pictures[3] = np.linspace(low, high, 64, dtype=np.float32).reshape(8, 8)
    clip = Clip.open(write_pictures(tmp_path, pictures, ".tif"))
    assert clip.info.levels == of_range(low, high)
    shown = clip.frames_at([3])[3]
    assert (shown.min(), shown.max()) == (0, 255)


def test_levels_may_run_from_large_values_to_small_ones() -> None:
    values = np.array([0, 100, 200, 300], np.uint16)
    assert to_levels(values, Levels(200, 100), "a").tolist() == [255, 255, 0, 0]
    assert to_levels(values, Levels(255, 0), "a").tolist() == [255, 155, 55, 0]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.uint16, "more than 8 bits"),
        (np.int32, "more than 8 bits"),
        (np.float32, "decimal numbers: values from 0 to 1 are shown as black to white"),
        (np.int8, "signed numbers of 8 bits"),
        (bool, None),
    ],
)
def test_the_note_names_the_kind_of_numbers(dtype, expected) -> None:
    found = notes(Levels(0, 1), np.dtype(dtype))
    assert len(found) == (expected is not None)
    assert all(expected in note for note in found)
    assert all(("--bit-depth" in note) == (expected == "more than 8 bits") for note in found)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float64])
def test_a_depth_changes_nothing_in_numbers_without_one(tmp_path, dtype) -> None:
    np.save(tmp_path / "a.npy", np.arange(2 * 64).reshape(2, 8, 8).astype(dtype))
    plain, told = (Clip.open(tmp_path / "a.npy", bit_depth=bits) for bits in (None, 12))
    np.testing.assert_array_equal(plain.frames_at([1])[1], told.frames_at([1])[1])
