"""High dynamic range, wide gamut and rare matrices are shown as BT.709 shows these colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support import colors
from tests.support.colors import PATCHES, Tags, largest_error, write_patches
from tests.support.media import read_frames
from video_cam.video.clip import Clip

SHARED = Path(__file__).parents[3] / "shared" / "cases"
HDR = {"PQ": "smpte2084", "HLG": "arib-std-b67"}


def shown(path) -> np.ndarray:
    return next(read_frames(path)).rgb()


@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize(
    ("matrix", "primaries", "curve"),
    [
        ("bt2020nc", "bt2020", "smpte2084"),
        ("bt2020nc", "bt2020", "arib-std-b67"),
        ("ictcp", "bt2020", "smpte2084"),
        ("chroma-derived-nc", "bt2020", "bt2020-10"),
        ("bt2020nc", "bt2020", "gamma22"),
        ("bt2020nc", "bt2020", "gamma28"),
        ("bt2020nc", "bt2020", "bt2020-10"),
        ("bt2020nc", "bt709", "bt709"),
        ("bt709", "smpte432", "bt709"),
        ("ycgco", "bt709", "bt709"),
        ("bt709", "bt709", "bt709"),
        ("bt470bg", "bt470bg", None),
        ("bt470bg", None, None),
    ],
)
def test_tagged_colours_keep_their_look(tmp_path, matrix, primaries, curve, value_range) -> None:
    known = primaries if primaries in colors.OF_BT709 else None
    encoded = Tags(matrix, known, curve, value_range)
    path = write_patches(tmp_path / "a.mkv", encoded)
    assert largest_error(shown(path)) <= 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder of cases beside the checkout")
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("sdr_bt2020.mkv", 2),
        ("bt2020_matrix_only.mkv", 2),
        ("full_range_partial_tags.mp4", 2),
        # One step of 10 bits is 5 levels of the red in (30, 220, 220), which is nearly black.
        ("hdr_pq.mp4", 5),
    ],
)
def test_the_cases_look_like_their_truth(name, tolerance) -> None:
    truth = cv2.imread(str(SHARED / "colour_truth.png"))[..., ::-1].astype(int)
    found = shown(SHARED / name).astype(int)
    even = cv2.blur(truth.astype(np.float32), (13, 13)) == truth  # away from the patches' edges
    inside = even.all(axis=2)
    assert inside.mean() > 0.3
    assert np.percentile(np.abs(found - truth)[inside], 99) <= tolerance


@pytest.mark.parametrize("pix_fmt", ["yuv444p10le", "yuv444p", "yuv444p16le"])
def test_the_depth_of_wide_colours_does_not_matter(tmp_path, pix_fmt) -> None:
    path = write_patches(tmp_path / "a.mkv", Tags("bt2020nc", "bt2020", "bt2020-10"), pix_fmt)
    assert largest_error(shown(path)) <= (12 if pix_fmt == "yuv444p" else 2)


def test_hdr_without_other_tags_has_the_primaries_and_the_matrix_of_bt2020(tmp_path) -> None:
    encoded, written = Tags("bt2020nc", "bt2020", "smpte2084"), Tags(None, None, "smpte2084")
    path = write_patches(tmp_path / "a.mkv", encoded, written=written)
    assert largest_error(shown(path)) <= 2


def test_what_is_brighter_than_white_is_clipped(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(colors, "PATCHES", ((300, 300, 300), (255, 255, 255)))
    path = write_patches(tmp_path / "a.mkv", Tags("bt2020nc", "bt2020", "smpte2084"))
    assert shown(path)[8, [8, 24]].tolist() == [[255] * 3] * 2


@pytest.mark.parametrize("pix_fmt", ["gbrp10le", "gbrp12le", "gbrp16le"])
def test_rgb_streams_of_hdr_are_converted(tmp_path, pix_fmt) -> None:
    tags = Tags("rgb", "bt2020", "smpte2084", "pc")
    assert largest_error(shown(write_patches(tmp_path / "a.mkv", tags, pix_fmt))) <= 2


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le"])
def test_gray_of_limited_range_is_stretched(tmp_path, pix_fmt) -> None:
    path = write_patches(tmp_path / "a.mkv", Tags(), pix_fmt)
    grays = [place for place, patch in enumerate(PATCHES) if len(set(patch)) == 1]
    found = shown(path)[8, [16 * place + 8 for place in grays]]
    np.testing.assert_allclose(found, [PATCHES[place] for place in grays], atol=1)


def test_linear_light_is_shown_with_the_curve_of_srgb(tmp_path) -> None:
    written = Tags("bt709", "bt709", "linear")
    path = write_patches(tmp_path / "a.mkv", Tags(), "yuv444p16le", written)
    light = np.array(PATCHES[3]) / 255  # of skin
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(shown(path)[8, 16 * 3 + 8], expected, atol=1)


def test_the_transparency_of_wide_colours_is_kept(tmp_path) -> None:
    path = write_patches(tmp_path / "a.mkv", Tags("bt2020nc", "bt2020", "bt2020-10"), "yuva444p")
    assert not shown(path).any()


@pytest.mark.parametrize("name", HDR)
def test_the_clip_says_that_hdr_is_shown_as_sdr(tmp_path, name) -> None:
    path = write_patches(tmp_path / "a.mkv", Tags("bt2020nc", "bt2020", HDR[name]))
    (note,) = Clip.open(path).info.conversions
    assert f"({name})" in note and "203 cd/m2 is white" in note


def test_the_clip_names_the_primaries_that_are_converted(tmp_path) -> None:
    path = write_patches(tmp_path / "a.mkv", Tags("bt709", "smpte432"))
    assert Clip.open(path).info.conversions == (
        "colours are converted from Display P3 to BT.709; those that it lacks are clipped",
    )


def test_nothing_is_said_about_ordinary_colours(tmp_path) -> None:
    assert Clip.open(write_patches(tmp_path / "a.mkv", Tags())).info.conversions == ()
