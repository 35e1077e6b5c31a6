"""Captions: they fit, can be read, and write more than ASCII."""

from __future__ import annotations

import numpy as np
import pytest

from video_cam.rendering.captions import draw_caption, font_size


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
