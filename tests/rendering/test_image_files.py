"""PNG files hold every pixel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from video_cam.rendering.image_files import save_image


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (37, 53), (256, 340)])
def test_a_png_holds_every_pixel(size: tuple[int, int], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    for image in (noise, noise // 200, np.ascontiguousarray(noise[:, ::-1]), noise[:, ::-1]):
        save_image(tmp_path / "p.png", image)
        with Image.open(tmp_path / "p.png") as opened:  # which checks the checksums
            opened.load()
            assert opened.mode == "RGB"
            np.testing.assert_array_equal(np.asarray(opened), image)
        read = cv2.imread(str(tmp_path / "p.png"), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(read[..., ::-1], image)


def test_a_jpeg_has_the_right_colours(tmp_path: Path) -> None:
    image = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    save_image(tmp_path / "p.jpg", image)
    with Image.open(tmp_path / "p.jpg") as opened:
        assert opened.format == "JPEG"
        assert np.abs(np.asarray(opened).astype(int) - image).max() <= 4


def test_an_unknown_extension_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((OSError, cv2.error)):
        save_image(tmp_path / "p.nothing", np.zeros((4, 4, 3), np.uint8))
