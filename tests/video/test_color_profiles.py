"""The ICC profiles of still images are used."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.support.media import read_frames
from video_cam.video.clip import Clip
from video_cam.video.color_profiles import CONVERTED

# Light of the primaries as CIE XYZ for a white of D50 (Bradford), as profiles store it.
DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def profile(primaries: tuple[tuple[float, float, float], ...], gamma: float = 2.2) -> bytes:
    """An ICC profile (version 2.1) of three primaries and a power."""
    curve = b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0)
    tags = {b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    tags |= {
        name: xyz(one) for name, one in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        place = 128 + 4 + 12 * len(tags) + len(data)
        table += name + struct.pack(">II", place, len(content))
        data += content
    header = bytearray(128)
    header[:4] = struct.pack(">I", 128 + len(table) + len(data))
    header[8:24] = b"\x02\x10\0\0mntrRGB XYZ "
    header[36:40] = b"acsp"
    header[68:80] = xyz((0.9642, 1.0, 0.8249))[8:]
    return bytes(header) + table + data


def xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_the_colours_of_display_p3_are_converted(tmp_path, name) -> None:
    stored = Image.new("RGB", (16, 16), (200, 120, 90))
    options = {"lossless": True} if name == "a.webp" else {"quality": 100} if "jpg" in name else {}
    stored.save(tmp_path / name, icc_profile=profile(DISPLAY_P3), **options)
    found = next(read_frames(tmp_path / name)).rgb()[8, 8].astype(int)
    # Light of P3 is 1.2249 - 0.2247 of red and green, ...: the inverse of SMPTE EG 432-1.
    matrix = np.array([[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]])
    light = matrix @ (np.array([200, 120, 90]) / 255) ** 2.2
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(found, expected, atol=2)
    assert Clip.open(tmp_path / name).info.conversions == (CONVERTED,)


def test_a_profile_of_srgb_changes_nothing(tmp_path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=srgb)
    np.testing.assert_array_equal(next(read_frames(tmp_path / "a.png")).rgb(), stored)
    assert Clip.open(tmp_path / "a.png").info.conversions == ()


@pytest.mark.parametrize("damaged", [b"no profile", profile(SRGB)[:200]])
def test_a_damaged_profile_is_left_out(tmp_path, damaged) -> None:
    Image.new("RGB", (16, 16), (200, 120, 90)).save(tmp_path / "a.png", icc_profile=damaged)
    assert next(read_frames(tmp_path / "a.png")).rgb()[8, 8].tolist() == [200, 120, 90]
