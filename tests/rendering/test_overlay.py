"""Colours, blending, and what was not seen."""

from __future__ import annotations

import numpy as np
import pytest

from video_cam.rendering.overlay import (
    Palette,
    fit,
    heat_map,
    opacity_share,
    overlay,
    unseen,
)

BOX = (100, 0, 300, 200)


def wide_frame() -> np.ndarray:
    """A frame of one colour, of which the network saw the middle."""
    return np.full((200, 400, 3), (200, 100, 50), np.uint8)


def test_outside_the_box_a_frame_is_grey_and_dark() -> None:
    frame = wide_frame()
    drawn = overlay(frame, np.zeros((200, 200), np.float32), BOX, Palette("inferno", 0.7))
    np.testing.assert_array_equal(drawn[:, 100:300], frame[:, 100:300])
    np.testing.assert_array_equal(drawn[:, :100], unseen(frame)[:, :100])
    assert drawn[0, 0].max() < 60 and np.ptp(drawn[0, 0]) == 0
    np.testing.assert_array_equal(overlay(frame, None, BOX, Palette("inferno", 0.7)), unseen(frame))


def test_in_a_heat_map_unseen_differs_from_no_heat() -> None:
    frame, palette = wide_frame(), Palette("inferno", 0.7)
    cold = heat_map(frame, np.zeros((200, 200), np.float32), BOX, palette)
    assert (cold[:, :100] == 64).all() and cold[:, 100:300].max() < 10
    assert (heat_map(frame, None, BOX, palette) == 64).all()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_opacity_is_alpha_times_a_share_that_grows_with_heat(alpha: float) -> None:
    frame = np.full((40, 50, 3), (200, 100, 50), np.uint8)  # without details
    heat = np.random.default_rng(0).random((40, 50), dtype=np.float32)
    palette = Palette("viridis", alpha)
    opacity = alpha * opacity_share(heat)[:, :, None]
    expected = frame * (1 - opacity) + palette.colour(heat) * opacity
    assert np.abs(palette.blend(frame, heat) - expected).max() <= 2.5


def stripes(height: int = 96, width: int = 128) -> np.ndarray:
    """Bright and dark stripes of 4 pixels."""
    columns = np.where(np.arange(width) // 4 % 2, 190, 60).astype(np.uint8)
    return np.broadcast_to(columns[None, :, None], (height, width, 3)).copy()


@pytest.mark.parametrize("colormap", ["inferno", "viridis", "turbo"])
def test_what_lies_under_full_heat_is_seen(colormap: str) -> None:
    """Most of the contrast stays, where opacity alone leaves three tenths of it."""
    frame, palette = stripes(), Palette(colormap, 0.7)
    drawn = palette.blend(frame, np.ones(frame.shape[:2], np.float32)).astype(float).mean(2)
    inside = drawn[20:-20, 20:-20]
    contrast = np.ptp(inside.mean(0)) / 130
    assert 0.6 < contrast < 1.2
    # On average the colour is that of the heat over the picture.
    expected = 0.3 * frame[20:-20, 20:-20].mean() + 0.7 * palette.colours[255].mean()
    assert abs(inside.mean() - expected) < 20


def test_details_are_drawn_where_there_is_heat_alone() -> None:
    frame = stripes()
    heat = np.zeros(frame.shape[:2], np.float32)
    heat[:, 64:] = 1
    drawn = Palette("inferno", 0.7).blend(frame, heat)
    np.testing.assert_array_equal(drawn[:, :63], frame[:, :63])
    assert (drawn[:, 65:] != frame[:, 65:]).any()
    np.testing.assert_array_equal(Palette("inferno", 0).blend(frame, heat), frame)


def test_details_do_not_depend_on_the_size_of_the_heat() -> None:
    frame, palette = stripes(97, 131), Palette("inferno", 0.7)  # no multiple of a band of rows
    whole = palette.blend(frame, np.full((97, 131), 0.6, np.float32))
    np.testing.assert_array_equal(whole, palette.blend(frame, np.full((25, 33), 0.6, np.float32)))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 400)])
def test_tiny_and_narrow_pictures_are_drawn(size: tuple[int, int]) -> None:
    frame = np.full((*size, 3), 90, np.uint8)
    drawn = Palette("inferno", 0.7, (0.5,)).blend(frame, np.ones(size, np.float32))
    assert drawn.shape == frame.shape and (drawn != frame).any()


def test_medium_heat_is_seen_and_full_heat_has_alpha() -> None:
    share = opacity_share(np.linspace(0, 1, 101))
    assert (np.diff(share) >= 0).all() and share[0] == 0 and share[100] == 1
    assert share[55] > 0.8 and share[10] < 0.1
    bright = np.full((1, 101, 3), 240, np.uint8)
    drawn = Palette("inferno", 0.7).blend(bright, np.linspace(0, 1, 101, dtype=np.float32)[None])
    assert np.abs(drawn[0, 55].astype(int) - 240).mean() > 60
    # The source is seen under full heat.
    dark = Palette("inferno", 0.7).blend(bright // 4, np.ones((1, 101), np.float32))
    assert np.abs(drawn[0, 100].astype(int) - dark[0, 0]).mean() > 40


def test_the_colours_of_a_palette_are_those_of_its_levels() -> None:
    palette = Palette("magma", 0.3)
    levels = np.arange(256, dtype=np.float32)[None] / 255
    np.testing.assert_array_equal(palette.colours, palette.colour(levels)[0])
    assert palette.colours[0].max() < 10 < 200 < palette.colours[255].max()


@pytest.mark.parametrize(
    ("size", "expected"), [((50, 100), (20, 40)), ((100, 10), (40, 4)), ((30, 40), (30, 40))]
)
def test_images_are_only_made_smaller(size, expected) -> None:
    assert fit(np.zeros((*size, 3), np.uint8), 40).shape[:2] == expected
