"""Animated pictures and files of many pages are clips, with the durations that they name."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, features

from tests.support.media import is_same_timeline, read_all, read_frames
from video_cam import ClipError
from video_cam.config import LimitsConfig
from video_cam.video import picture_files
from video_cam.video.clip import Clip
from video_cam.video.picture_files import CUT_OFF, image_clips
from video_cam.video.picture_source import NO_RATE

DURATIONS = (40, 80, 40, 200)  # milliseconds
SHARED = Path(__file__).parents[3] / "shared" / "cases"


def pictures(count: int = 4) -> list[Image.Image]:
    """Pictures of 32 x 24 whose red is 10, 20, 30, ..."""
    return [Image.new("RGB", (32, 24), (10 * n, 100, 50)) for n in range(1, count + 1)]


def animation(path: Path, **options) -> Path:
    first, *others = pictures()
    first.save(path, save_all=True, append_images=others, duration=DURATIONS, **options)
    return path


FORMATS = {
    "a.webp": {"lossless": True},
    "a.png": {},
    "a.gif": {},
    "gif named.png": {"format": "GIF"},
    "webp named.jpg": {"format": "WEBP", "lossless": True},
    "a.avif": {"quality": 100},
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_frame_of_an_animation_is_shown_at_its_time(tmp_path, name) -> None:
    if name == "a.avif" and not features.check("avif"):
        pytest.skip("Pillow is built without AVIF")
    path = animation(tmp_path / name, **FORMATS[name])
    clip = Clip.open(path)
    assert (clip.info.num_frames, clip.info.is_still) == (4, False)
    starts = [clip.timeline.pts_seconds(index) for index in range(4)]
    assert starts == [Fraction(n, 1000) for n in (0, 40, 120, 160)]
    found = [int(frame.rgb()[12, 16, 0]) for frame in read_frames(path)]
    assert found == pytest.approx([10, 20, 30, 40], abs=3)
    assert is_same_timeline(read_all(path).timeline, clip.timeline)


def test_a_webp_lasts_as_long_as_its_durations_say(tmp_path) -> None:
    assert Clip.open(animation(tmp_path / "a.webp")).info.duration_seconds == 0.36


def test_frames_of_a_webp_are_read_from_the_middle(tmp_path) -> None:
    clip = Clip.open(animation(tmp_path / "a.webp", lossless=True))
    assert {i: int(p[0, 0, 0]) for i, p in clip.frames_at([3, 1]).items()} == {1: 20, 3: 40}


def test_transparent_parts_of_a_webp_are_black(tmp_path) -> None:
    frames = [Image.new("RGBA", (32, 24), (200, 200, 200, alpha)) for alpha in (0, 255)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    found = [int(frame.rgb()[5, 5, 0]) for frame in read_frames(tmp_path / "a.webp")]
    assert found == [0, 200]


def test_a_webp_without_durations_has_those_of_browsers(tmp_path) -> None:
    first, *others = pictures()
    first.save(tmp_path / "a.webp", save_all=True, append_images=others, duration=0)
    assert Clip.open(tmp_path / "a.webp").info.frame_rate == 10


def test_a_webp_that_was_cut_off_is_told(tmp_path) -> None:
    path = animation(tmp_path / "a.webp", lossless=True)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ClipError, match=r"a\.webp: a damaged WebP"):
        list(read_frames(path))


@pytest.mark.parametrize("name", ["a.webp", "a.tif"])
def test_pictures_in_one_file_have_limits(tmp_path, name) -> None:
    path = animation(tmp_path / name)
    with pytest.raises(ClipError, match="more than 3 frames"):
        Clip.open(path, LimitsConfig(max_frames=3))
    with pytest.raises(ClipError, match=r"32x24 have more than 700 pixels"):
        Clip.open(path, LimitsConfig(max_pixels=700))


@pytest.mark.parametrize("big", [False, True])
def test_the_pages_of_a_tiff_are_frames(tmp_path, big) -> None:
    first, *others = pictures()
    path = tmp_path / "a.tif"
    first.save(path, save_all=True, append_images=others, big_tiff=big)
    clip = Clip.open(path)
    assert (clip.info.num_frames, clip.info.frame_rate, clip.info.is_still) == (4, 25, False)
    assert clip.info.conversions == (NO_RATE,)
    assert [tuple(p[0, 0]) for p in clip.frames_at(range(4)).values()] == [
        (10 * n, 100, 50) for n in range(1, 5)
    ]


def test_pages_of_16_bits_have_one_range(tmp_path) -> None:
    pages = [np.full((8, 10), value, np.uint16) for value in (1000, 4000)]
    cv2.imwritemulti(str(tmp_path / "a.tif"), pages)
    clip = Clip.open(tmp_path / "a.tif")
    assert [int(p[0, 0, 0]) for p in clip.frames_at([0, 1]).values()] == [62, 250]


@pytest.mark.parametrize(
    ("description", "note"),
    [
        ("ImageJ=1.53\nimages=4\nchannels=2\nframes=2\n", "names 2 channels and 1 slices"),
        ('<OME><Pixels SizeC="1" SizeT="2" SizeZ="2"/></OME>', "names 1 channels and 2 slices"),
        ("ImageJ=1.53\nimages=900\nframes=900\n", "names 900 pictures and lists 4"),
        ("ImageJ=1.53\nimages=4\nframes=4\n", None),
        ("a photograph", None),
    ],
)
@pytest.mark.parametrize("big", [False, True])
def test_channels_and_slices_are_told(tmp_path, description, note, big) -> None:
    first, *others = pictures()
    options = {"append_images": others, "description": description, "big_tiff": big}
    first.save(tmp_path / "a.tif", save_all=True, **options)
    found = [line for line in Clip.open(tmp_path / "a.tif").info.conversions if line != NO_RATE]
    assert len(found) == (note is not None)
    assert note is None or note in found[0]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_nothing_is_said_about_an_ordinary_still(tmp_path, name) -> None:
    pictures()[0].save(tmp_path / name)
    assert Clip.open(tmp_path / name).info.conversions == ()


def test_thumbnails_of_a_tiff_are_no_frames(tmp_path) -> None:
    first, thumbnail = pictures()[0], Image.new("RGB", (8, 6))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    first.save(tmp_path / "a.tif", save_all=True, append_images=[thumbnail])
    info = Clip.open(tmp_path / "a.tif").info
    assert (info.num_frames, info.is_still) == (1, True)


def test_a_tiff_of_too_many_pages_holds_several(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(picture_files, "DEFAULT_LIMITS", LimitsConfig(max_frames=2))
    assert picture_files.holds_several(animation(tmp_path / "a.tif"))


def test_a_tiff_whose_pages_run_in_a_circle_ends(tmp_path) -> None:
    path = tmp_path / "a.tif"
    pictures()[0].save(path)
    data = bytearray(path.read_bytes())
    directory = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, directory)[0]
    struct.pack_into("<I", data, directory + 2 + 12 * count, directory)
    path.write_bytes(data)
    assert Clip.open(path).info.num_frames == 1


@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_that_breaks_off_says_so(tmp_path, big) -> None:
    first, *others = pictures()
    path = tmp_path / "a.tif"
    first.save(path, save_all=True, append_images=others, big_tiff=big)
    data = bytearray(path.read_bytes())
    form, place = ("<Q", 8) if big else ("<I", 4)
    for _ in range(2):  # to the place of the third page
        directory = struct.unpack_from(form, data, place)[0]
        count = struct.unpack_from("<Q" if big else "<H", data, directory)[0]
        place = directory + (8 + 20 * count if big else 2 + 12 * count)
    struct.pack_into(form, data, place, 2**64 - 1 if big else 2**32 - 1)
    path.write_bytes(data)
    info = Clip.open(path).info
    assert (info.num_frames, info.problems) == (2, (CUT_OFF,))


@pytest.mark.parametrize("suffix", ["webp", "png", "tif"])
def test_numbered_animations_are_clips_of_their_own(tmp_path, suffix) -> None:
    for number in range(3):
        animation(tmp_path / f"a_{number}.{suffix}")
    assert sorted(image_clips(tmp_path)) == [tmp_path / f"a_{n}.{suffix}" for n in range(3)]
    with pytest.raises(ClipError, match=f"a_0.{suffix} in it holds several pictures"):
        Clip.open(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder of cases beside the checkout")
@pytest.mark.parametrize("name", ["animated.webp", "animated_apng.png"])
def test_the_cases_have_thirty_frames(name) -> None:
    clip = Clip.open(SHARED / name)
    assert (clip.info.num_frames, clip.info.frame_rate) == (30, 25)
