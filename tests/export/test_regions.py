"""Regions of high heat, against pixel by pixel definitions."""

from __future__ import annotations

import numpy as np
import pytest

from video_cam.errors import UsageError
from video_cam.export.regions import Threshold, find_regions


def test_regions_are_connected_and_the_highest_is_first() -> None:
    heat = np.zeros((10, 12), np.float32)
    heat[1:4, 1:3] = 0.6
    heat[4, 3] = 0.55  # touches at a corner
    heat[6:9, 7:11] = 0.7
    heat[7, 8] = 1.0
    heat[0, 11] = 0.9  # too small
    heat[9, 0:4] = 0.4  # too low
    first, second = find_regions(heat, Threshold(0.5, min_area=2))
    assert (first.left, first.top, first.width, first.height) == (7, 6, 4, 3)
    assert (first.area, first.peak) == (12, 1)
    assert (second.left, second.top, second.width, second.height) == (1, 1, 3, 4)
    assert second.area == 7 and second.peak == pytest.approx(0.6)
    assert second.mask[3, 2] and not second.mask[3, 0]


def test_share_of_mass_is_the_smallest_set_of_pixels() -> None:
    heat = np.random.default_rng(0).random((7, 9))
    for share in (0.1, 0.5, 0.9):
        selected = Threshold(share, "mass").selected(heat)
        mass, count = heat[selected].sum(), np.count_nonzero(selected)
        assert mass >= share * heat.sum()
        assert np.sort(heat, axis=None)[-(count - 1) :].sum() < share * heat.sum()
        assert heat[selected].min() > heat[~selected].max()


def test_a_frame_without_heat_has_no_region() -> None:
    for of in ("peak", "mass"):
        assert find_regions(np.zeros((5, 5), np.float32), Threshold(0.5, of, 1)) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"share": 1.0}, "threshold 1.0 must lie between 0 and 1"),
        ({"of": "median"}, "unknown share of 'median'"),
        ({"min_area": 0}, "min_area 0 must be above 0"),
    ],
)
def test_wrong_thresholds(options, words) -> None:
    with pytest.raises(UsageError, match=words):
        Threshold(**options)
