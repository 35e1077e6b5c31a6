"""Frames are turned upright as the display matrix says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.support import media
from tests.support.media import read_frames
from video_cam.video.clip import Clip
from video_cam.video.orientation import swaps_axes, turn_upright

SHOWN = {  # colours top left, top right, bottom left, bottom right
    "as stored": ("red", "green", "blue", "white"),
    "quarter right": ("blue", "red", "white", "green"),
    "half": ("white", "blue", "green", "red"),
    "quarter left": ("green", "white", "red", "blue"),
    "mirrored": ("green", "red", "white", "blue"),
    "upside down": ("blue", "white", "red", "green"),
    "transposed": ("red", "blue", "green", "white"),
    "anti-transposed": ("white", "green", "blue", "red"),
}


@pytest.mark.parametrize("matrix", SHOWN)
def test_a_clip_is_turned_as_its_display_matrix_says(tmp_path, matrix) -> None:
    path = media.write_clip(
        tmp_path / "a.mp4", [media.corners()] * 2, sample_aspect_ratio=Fraction(4, 3)
    )
    media.turn_mp4(path, media.MATRICES[matrix])
    info = Clip.open(path).info
    pictures = [frame.rgb() for frame in read_frames(path)]
    is_turned = media.MATRICES[matrix][0] == 0
    assert (info.width, info.height) == ((48, 64) if is_turned else (64, 48))
    for picture in pictures:
        assert picture.shape == (info.height, info.width, 3)
        assert picture.flags.c_contiguous
        assert media.corner_names(picture) == SHOWN[matrix]
    assert info.sample_aspect_ratio == (Fraction(3, 4) if is_turned else Fraction(4, 3))


@pytest.mark.parametrize("matrix", media.MATRICES.values(), ids=media.MATRICES)
def test_each_pixel_goes_where_the_matrix_says(matrix) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    height, width = stored.shape[:2]
    a, b, c, d = matrix
    shown = turn_upright(stored, matrix)
    assert shown.shape == ((width, height, 3) if swaps_axes(matrix) else stored.shape)
    for y in range(height):
        for x in range(width):
            # Negative coordinates count from the far side.
            column, row = a * x + c * y - (a + c < 0), b * x + d * y - (b + d < 0)
            np.testing.assert_array_equal(shown[row, column], stored[y, x])


@pytest.mark.parametrize(
    ("matrix", "nearest"),
    [((17, 98, -98, 17), "quarter right"), ((98, 17, -17, 98), "as stored")],
    ids=["80 degrees", "10 degrees"],
)
def test_a_turn_between_quarter_turns_becomes_the_nearest_one(tmp_path, matrix, nearest) -> None:
    path = media.write_clip(tmp_path / "a.mp4", [media.corners()] * 2)
    media.turn_mp4(path, matrix)  # cosines and sines in hundredths: only their ratio counts
    assert media.corner_names(next(read_frames(path)).rgb()) == SHOWN[nearest]
