"""Captions: they fit, can be read, and write more than ASCII."""

from __future__ import annotations

import numpy as np
import pytest

from video_cam.rendering.captions import (
    Caption,
    captioned,
    draw_caption,
    font_size,
)


@pytest.mark.parametrize("size", [(48, 64), (128, 96), (720, 1280), (2160, 3840), (30, 20)])
def test_captions_fit_and_can_be_read(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    draw_caption(image, ["a very long class name that fits nowhere", "97%   12.34 s"])
    changed = np.flatnonzero((image != 200).any(axis=(1, 2)))
    assert image.max() > 200, "no text"
    assert changed[-1] == size[0] - 1
    assert font_size(size[0]) >= 10
    if size[0] >= 48:
        assert len(changed) <= 0.7 * size[0]


def test_a_caption_at_the_top_has_its_colour() -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    draw_caption(image, ["untrained"], top=True, colour=(255, 0, 0))
    changed = np.flatnonzero(image.any(axis=(1, 2)))
    assert changed[-1] < 40
    assert image[..., 0].max() == 255 and image[..., 1:].max() == 0


def test_captions_write_more_than_ascii() -> None:
    accented, replacement = (np.zeros((40, 200, 3), np.uint8) for _ in range(2))
    draw_caption(accented, ["Čeština Ελλάς Кино"])
    draw_caption(replacement, ["?eština ????? ????"])
    assert (accented != replacement).any()


@pytest.mark.parametrize("size", [(150, 200), (64, 64), (256, 340)])
def test_the_caption_of_a_picture_hides_nothing_of_it(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    before = image.copy()
    drawn = captioned(image, Caption(("spin", "97%   12.34 s"), "untrained"))
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(drawn[: size[0]], image)
    below = drawn[size[0] :]
    assert below.max() == 255
    assert ((below[..., 0] > 200) & (below[..., 2] < 100)).any()  # the warning is amber


def test_a_caption_covers_at_most_a_quarter_of_a_video() -> None:
    image = np.full((64, 64, 3), 200, np.uint8)
    draw_caption(image, ["a long class name", "97%   12.34 s", "gradcam layer4"])
    assert (image != 200).any(axis=(1, 2)).sum() <= 16


def test_text_is_not_distorted_where_pixels_are_not_square() -> None:
    """Squeezed in the file, it has its proportions where the video is shown."""
    parts = ["dash right", "97%   12.34 s"]
    wide, square = np.zeros((2, 240, 320, 3), np.uint8)
    draw_caption(wide, parts, pixel_aspect=2)
    draw_caption(square, parts)

    def width(image: np.ndarray) -> int:
        return int(np.ptp(np.flatnonzero((image > 100).any(axis=(0, 2)))))

    assert width(wide) == pytest.approx(width(square) / 2, abs=2)
