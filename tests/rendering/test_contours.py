"""Contour lines lie where the heat has their level, and are seen on any picture of any size."""

from __future__ import annotations

import numpy as np
import pytest

from video_cam.rendering.contours import draw_contours, line_widths
from video_cam.rendering.overlay import Palette, overlay

SIZES = [(120, 160), (1080, 1920), (200, 150)]


def cone(height: int, width: int, radius: float) -> np.ndarray:
    """Heat that falls from 1 in the middle to 0 at ``radius`` pixels."""
    y, x = np.mgrid[:height, :width]
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    return np.clip(1 - np.hypot(x, y) / radius, 0, 1).astype(np.float32)


def bright_distances(drawn: np.ndarray) -> np.ndarray:
    """How far the pixels of a line on black are from the picture's middle."""
    height, width = drawn.shape[:2]
    rows, columns = np.nonzero((drawn > 100).all(2))
    return np.hypot(columns - (width - 1) / 2, rows - (height - 1) / 2)


@pytest.mark.parametrize("size", SIZES)
def test_a_line_lies_where_the_heat_has_its_level(size) -> None:
    image, radius = np.zeros((*size, 3), np.uint8), 0.4 * min(size)
    draw_contours(image, cone(*size, radius), (0, 0, size[1], size[0]), [0.5])
    found = bright_distances(image)
    assert len(found) > 0.8 * np.pi * radius
    assert np.abs(found - radius / 2).max() <= line_widths(min(size))[0] / 2 + 2


@pytest.mark.parametrize("background", [0, 90, 180, 255])
@pytest.mark.parametrize("size", SIZES)
def test_a_line_differs_from_any_picture(size, background) -> None:
    image, radius = np.full((*size, 3), background, np.uint8), 0.4 * min(size)
    draw_contours(image, cone(*size, radius), (0, 0, size[1], size[0]), [0.5])
    differing = (np.abs(image.astype(int) - background) > 60).all(2).sum()
    assert differing > 0.8 * np.pi * radius


def test_coarse_heat_gives_the_same_line() -> None:
    fine, coarse = np.zeros((2, 400, 400, 3), np.uint8)
    draw_contours(fine, cone(400, 400, 160), (0, 0, 400, 400), [0.5])
    draw_contours(coarse, cone(100, 100, 40), (0, 0, 400, 400), [0.5])
    assert abs(bright_distances(fine).mean() - bright_distances(coarse).mean()) < 0.5


def test_several_levels_are_nested_lines_in_the_box() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    draw_contours(image, cone(200, 200, 100), (100, 20, 300, 220), [0.25, 0.75])
    row = (image[120] > 100).all(1)
    starts = np.nonzero(row[1:] & ~row[:-1])[0] + 1
    assert starts.tolist() == pytest.approx([125, 175, 225, 275], abs=2)
    assert not image[:, :99].any() and not image[:19].any()


@pytest.mark.parametrize("heat", [np.zeros((8, 8)), np.ones((8, 8)), np.ones((1, 8))])
def test_without_a_crossing_there_is_no_line(heat) -> None:
    image = np.full((80, 80, 3), 90, np.uint8)
    draw_contours(image, heat.astype(np.float32), (0, 0, 80, 80), [0.5])
    assert (image == 90).all()


def test_an_overlay_without_opacity_shows_the_lines_alone() -> None:
    frame = np.full((100, 100, 3), 90, np.uint8)
    drawn = overlay(frame, cone(100, 100, 40), (0, 0, 100, 100), Palette("inferno", 0, (0.5,)))
    is_line = np.abs(drawn.astype(int) - 90).max(2) > 1
    assert 0.02 < is_line.mean() < 0.15 and (frame == 90).all()
    plain = overlay(frame, cone(100, 100, 40), (0, 0, 100, 100), Palette("inferno", 0))
    np.testing.assert_array_equal(plain, frame)
