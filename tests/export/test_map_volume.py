"""Volumes of maps: the samples' positions, signs, and what the network did not see."""

from __future__ import annotations

import numpy as np
import pytest

from video_cam.errors import UsageError
from video_cam.export import map_volume
from video_cam.export.map_volume import MapVolume, Sampling
from video_cam.export.results import Result, find_results
from video_cam.rendering.heat import HeatMapper


@pytest.fixture
def result(run_folder) -> Result:
    return find_results(run_folder / "one")[0]


def volume_of(result: Result, *sampling, **options) -> MapVolume:
    return MapVolume(result, 0, Sampling(*sampling, **options))


def test_on_the_sources_pixels_it_is_the_heat_that_is_drawn(result) -> None:
    volume = volume_of(result)
    mapper = HeatMapper(result.maps[0], result.explanation.geometry, "video")
    left, top, right, bottom = mapper.box
    assert volume.shape == (6, 48, 64)
    assert (left, top, right, bottom) == (12, 4, 52, 44)
    for index in range(6):
        frame, heat = volume.frame(index), volume.heat(index)
        np.testing.assert_allclose(
            heat[top:bottom, left:right], mapper.heat(index), rtol=1e-5, atol=1e-6
        )
        outside = np.ones((48, 64), bool)
        outside[top:bottom, left:right] = False
        assert not frame[outside].any() and frame[~outside].all()
    assert min(volume.frame(index).min() for index in range(6)) < 0


def test_cells_lie_at_the_positions_that_are_told(result) -> None:
    cells = volume_of(result, "cells")
    pixels = volume_of(result)
    assert cells.shape == (6, 2, 3)
    # Twice as many pixels as in the input, whose crop begins at row 2 and column 6.
    np.testing.assert_allclose(cells.y, [2 * (4.5 + 0.5 + 2) - 0.5, 2 * (14.5 + 0.5 + 2) - 0.5])
    np.testing.assert_allclose(cells.x, 2 * (np.array([2.0, 9.5, 17.0]) + 0.5 + 6) - 0.5)
    for index in range(6):
        np.testing.assert_array_equal(cells.frame(index), result.maps[0].cells(index))
    # Half a pixel beside a cell's centre, linear interpolation has nearly its value.
    shown = pixels.frame(2)[13:15, 16:18].mean()
    assert shown == pytest.approx(cells.frame(2)[0, 0], abs=0.1)


def test_fewer_samples_are_means_of_the_axis_and_frames_are_left_out(result) -> None:
    volume = volume_of(result, every=4, max_side=16)
    assert volume.shape == (2, 12, 16)
    np.testing.assert_array_equal(volume.frame_indices, [0, 4])
    np.testing.assert_allclose(volume.pts_seconds, [0, 4 / 25])
    np.testing.assert_allclose(volume.x, 4 * np.arange(16) + 1.5)
    assert volume.peak == result.maps[0].peak  # of all frames
    # A sample lies in the middle of four pixels, between which maps are linear.
    fine = volume_of(result).frame(4)
    expected = (fine[25:27, 29:31]).mean()
    assert volume.frame(1)[6, 7] == pytest.approx(expected, abs=1e-5)


def test_a_huge_volume_is_refused(result, monkeypatch) -> None:
    monkeypatch.setattr(map_volume, "MAX_BYTES", 4 * 6 * 48 * 64 - 1)
    with pytest.raises(UsageError, match=r"6 x 48 x 64 values.*--max-side 16, --every 4"):
        volume_of(result)
    assert volume_of(result, max_side=63).shape == (6, 47, 63)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grid": "layer"}, "unknown grid 'layer'"),
        ({"every": 0}, "every 0 must be above 0"),
        ({"grid": "cells", "max_side": 9}, "max_side is for the grid source"),
    ],
)
def test_wrong_options(options, words) -> None:
    with pytest.raises(UsageError, match=words):
        Sampling(**options)
