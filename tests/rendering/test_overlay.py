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
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    heat = rng.random((40, 50), dtype=np.float32)
    palette = Palette("viridis", alpha)
    opacity = alpha * opacity_share(heat)[:, :, None]
    expected = frame * (1 - opacity) + palette.colour(heat) * opacity
    assert np.abs(palette.blend(frame, heat) - expected).max() <= 2.5


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
