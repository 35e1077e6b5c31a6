"""Regions of boxes, pictures, run lengths and polygons."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from video_cam import ClipError
from video_cam.truth.clip_truth import Box, Mask
from video_cam.truth.pixels import region_pixels, unpacked_counts

# As pycocotools 2.0.11 encodes a region of 6 rows and 5 columns.
COCO = "83304NN"
REGION = np.zeros((6, 5), bool)
REGION[2:5, 1:3] = REGION[0, 4] = True


def test_run_lengths_compressed_and_not() -> None:
    assert unpacked_counts(COCO) == [8, 3, 3, 3, 7, 1, 5]
    for counts in (COCO, (8, 3, 3, 3, 7, 1, 5)):
        mask = Mask(0, counts=counts, size=(6, 5))
        np.testing.assert_array_equal(region_pixels(mask, 6, 5), REGION)


def test_runs_along_rows_in_a_part_of_the_frame() -> None:
    mask = Mask(0, counts=(1, 2, 1), size=(2, 2), by_column=False, corner=(3, 4))
    expected = np.zeros((6, 5), bool)
    expected[4, 4] = expected[5, 3] = True
    np.testing.assert_array_equal(region_pixels(mask, 6, 5), expected)


def test_a_box_has_the_pixels_whose_centre_it_contains() -> None:
    expected = np.zeros((6, 5), bool)
    expected[1:3, 2:4] = True
    np.testing.assert_array_equal(region_pixels(Box(0, 1.6, 1, 3.9, 3.5), 6, 5), expected)
    assert region_pixels(Box(0, -9, -9, 99, 99), 6, 5).all()


def test_a_polygon_has_the_pixels_that_it_encloses() -> None:
    square = (1.0, 2.0, 4.0, 2.0, 4.0, 5.0, 1.0, 5.0)
    expected = np.zeros((6, 5), bool)
    expected[2:5, 1:4] = True
    found = region_pixels(Mask(0, polygons=(square,)), 6, 5)
    assert (found & expected).sum() == 9 and found.sum() <= 16  # OpenCV fills the outline, too


def test_a_picture_with_and_without_colours(tmp_path: Path) -> None:
    for name, picture in (
        ("grey.png", REGION.astype(np.uint8)),
        ("colours.png", np.dstack([np.zeros((6, 5)), REGION * 9, np.zeros((6, 5))])),
        ("alpha.png", np.dstack([REGION * 9, REGION * 9, REGION * 9, np.full((6, 5), 255)])),
    ):
        cv2.imwrite(str(tmp_path / name), picture)
        mask = Mask(0, picture=str(tmp_path / name))
        np.testing.assert_array_equal(region_pixels(mask, 6, 5), REGION)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (Mask(3, picture="missing.png"), "cannot be read as a picture"),
        (Mask(3, counts=(30,), size=(5, 6)), "frame 3 has 6x5 pixels, the frame 5x6"),
        (Mask(3, counts=(10**12,), size=(10**6, 10**6)), "has 1000000x1000000 pixels"),
        (Mask(3, counts=(29,), size=(6, 5)), "29 pixels in all, expected 5x6"),
        (Mask(3, counts=(-1, 31), size=(6, 5)), "expected 5x6"),
        (Mask(3, counts="~", size=(6, 5)), "damaged"),
        (Mask(3, counts="o" * 99, size=(6, 5)), "damaged"),
        (Mask(3, counts="o", size=(6, 5)), "cut off"),
        (Mask(3, counts=(4,), size=(2, 2), by_column=False, corner=(4, 0)), "has 2x2 pixels"),
    ],
)
def test_masks_that_cannot_be_used(mask: Mask, words: str) -> None:
    with pytest.raises(ClipError, match=words):
        region_pixels(mask, 6, 5)
