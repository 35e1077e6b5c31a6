"""Maps in one byte per cell, used as arrays."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from video_cam.explanation.quantised_maps import QuantisedMaps, window_peaks


@pytest.fixture
def values() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(4, 2, 5, 6)).astype(np.float32)
    values[1] *= 1e-6
    values[2] = 0
    values[3] = -np.abs(values[3])
    return values


def test_each_window_is_off_by_half_a_level_of_its_own_largest_value(values):
    maps = QuantisedMaps.of(values)
    assert maps.levels.dtype == np.int8 and maps.shape == values.shape and len(maps) == 4
    error = np.abs(np.asarray(maps) - values).max((1, 2, 3))
    assert (error <= np.abs(values).max((1, 2, 3)) / 254 * 1.001).all()
    assert np.asarray(maps).dtype == maps[0].dtype == np.float32
    np.testing.assert_array_equal(maps[1], np.asarray(maps)[1])


def test_they_are_used_as_an_array(values):
    maps = QuantisedMaps.of(values)
    whole = np.asarray(maps)
    np.testing.assert_array_equal(maps[1:3], whole[1:3])
    np.testing.assert_array_equal(maps * 2 - maps, whole)
    np.testing.assert_array_equal(np.maximum(maps, 0), whole.clip(min=0))
    assert maps.sum() == whole.sum() and maps.max() == whole.max()
    for copied in (copy.deepcopy(maps), pickle.loads(pickle.dumps(maps))):
        np.testing.assert_array_equal(copied.levels, maps.levels)


def test_windows_are_stacked_without_loss(values):
    maps = QuantisedMaps.of(values)
    stacked = QuantisedMaps.stacked([QuantisedMaps.of([one]) for one in values])
    np.testing.assert_array_equal(stacked.levels, maps.levels)
    np.testing.assert_array_equal(stacked.scales, maps.scales)


def test_peaks_are_at_least_zero(values):
    maps = QuantisedMaps.of(values)
    np.testing.assert_allclose(window_peaks(maps), window_peaks(values), rtol=0.005)
    assert window_peaks(maps)[2:].tolist() == window_peaks(values)[2:].tolist() == [0, 0]


def test_a_value_too_small_for_a_scale_is_zero():
    maps = QuantisedMaps.of(np.full((1, 1, 1, 2), 1e-45, np.float32))
    assert maps[0].max() == 0
