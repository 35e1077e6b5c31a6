"""How alike two maps are, against NumPy and values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.explanations import make_explanation, map_series
from video_cam import Explanation
from video_cam.evaluation.map_difference import correlation, map_difference
from video_cam.layers.alignment import CellCentres
from video_cam.models.preprocessing import Geometry


def explanation(cells: np.ndarray, **fields: object) -> Explanation:
    """One window on all 6 frames of 8 x 8 pixels; cells: (6, 8, 8), a pixel each."""
    pixels = CellCentres(np.arange(6.0), np.arange(8.0), np.arange(8.0))
    series = map_series([[0] * 6], list(range(6)))
    series = replace(series, values=cells[None].astype(np.float32), centres=pixels)
    return make_explanation(
        **{
            "frame_indices": np.arange(6)[None],
            "num_padded": np.zeros(1, np.int64),
            "probabilities": np.array([[0.2, 0.5, 0.3]], np.float32),
            "maps": (series,),
        }
        | fields
    )


def random_cells(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, 8, 8))


def test_correlation_is_pearsons() -> None:
    one, other = random_cells(0), random_cells(1) + random_cells(0)
    expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert correlation(one, other) == pytest.approx(expected)
    assert correlation(one, -3 * one + 1) == pytest.approx(-1)
    assert correlation(one, np.ones_like(one)) is None


def test_a_map_is_like_itself_at_any_scale() -> None:
    cells = random_cells(0)
    found = map_difference(explanation(cells), explanation(3 * cells))
    assert found is not None and found.correlation == pytest.approx(1)
    assert found.curve == pytest.approx(np.zeros(6), abs=1e-6)


def test_it_differs_most_where_one_alone_has_heat() -> None:
    one, other = np.zeros((6, 8, 8)), np.zeros((6, 8, 8))
    one[:, 1, 1] = other[:, 1, 1] = 1.0
    other[4, 5, 6] = 0.9
    found = map_difference(explanation(one), explanation(other))
    assert found is not None
    # Moments lie in the middle of frames, where the map is the mean of two frames'.
    assert found.seconds == pytest.approx(0.35) and found.place == (6.5, 5.5)
    assert found.curve.argmax() == 3 and found.start_seconds == pytest.approx(0)
    assert found.step_seconds == pytest.approx(0.1)


def test_only_what_both_saw_is_compared() -> None:
    wide = Geometry(8, 16, 8, 16, 0, 4, 8, 8)  # columns 4 to 12
    right = Geometry(8, 16, 8, 16, 0, 8, 8, 8)  # columns 8 to 16
    cells, moved = np.zeros((6, 8, 8)), np.zeros((6, 8, 8))
    cells[:, 2, 5] = moved[:, 2, 1] = 1  # column 9 of the source
    cells[:, 3, 0] = moved[:, 3, 7] = 1  # what the other one did not see
    found = map_difference(explanation(cells, geometry=wide), explanation(moved, geometry=right))
    assert found is not None and found.correlation == pytest.approx(1)


def test_clips_of_other_sizes_and_other_times_are_not_compared() -> None:
    cells = random_cells(0)
    other_size = explanation(cells, geometry=Geometry(9, 8, 9, 8, 0, 0, 9, 8))
    assert map_difference(explanation(cells), other_size) is None
    beside = Geometry(8, 16, 8, 16, 0, 8, 8, 8)
    left = explanation(cells, geometry=Geometry(8, 16, 8, 16, 0, 0, 8, 8))
    assert map_difference(left, explanation(cells, geometry=beside)) is None
    early, late = explanation(cells, span=(0, 3)), explanation(cells, span=(3, 6))
    assert map_difference(early, late) is None
