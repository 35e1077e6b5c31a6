"""AVIF stills have the colours that their tags mean."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, features

from tests.support.colors import PATCHES, Tags, write_patches
from tests.support.media import read_frames
from video_cam.video.clip import Clip


@pytest.mark.skipif("libsvtav1" not in av.codecs_available, reason="no encoder of AV1")
@pytest.mark.parametrize(
    ("tags", "note"),
    [
        (Tags("bt709", "bt709", "bt709"), None),
        (Tags("bt709", "smpte432", "bt709"), "colours are converted from Display P3"),
        (Tags("bt2020nc", "bt2020", "smpte2084"), "high dynamic range (PQ)"),
    ],
)
def test_the_tags_of_an_avif_still_are_used(tmp_path: Path, tags: Tags, note) -> None:
    path = write_patches(tmp_path / "a.avif", tags, "yuv420p10le", codec="libsvtav1")
    found = next(read_frames(path)).rgb()
    height, width = found.shape[:2]
    patches = found[height // 2, width // len(PATCHES) // 2 :: width // len(PATCHES)].astype(int)
    assert np.abs(patches - PATCHES).max() <= 6  # it is compressed with loss
    info = Clip.open(path).info
    assert info.is_still and len(info.conversions) == (note is not None)
    assert note is None or info.conversions[0].startswith(note)


def test_an_ordinary_avif_is_read_by_opencv(tmp_path: Path) -> None:
    if not cv2.haveImageWriter("a.avif"):
        pytest.skip("OpenCV is built without AVIF")
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.avif"), picture)
    found = next(read_frames(tmp_path / "a.avif")).rgb()
    np.testing.assert_array_equal(found, cv2.imread(str(tmp_path / "a.avif"))[..., ::-1])


@pytest.mark.skipif(not features.check("avif"), reason="Pillow is built without AVIF")
def test_transparent_parts_of_an_avif_are_black(tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32), (200, 150, 100, 0)).save(tmp_path / "a.avif")
    assert not next(read_frames(tmp_path / "a.avif")).rgb().any()
