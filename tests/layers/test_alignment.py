"""Centres of cells by each alignment, and interpolation between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.support.centre_taps import SIZE, centre_taps
from video_cam import compute_cams, upsample
from video_cam.choice_names import ALIGNMENT_NAMES
from video_cam.layers.alignment import (
    ALIGNMENTS,
    NEAREST,
    CellCentres,
    arithmetic,
    cell_centres,
    corners,
    gather_onto,
    grid_positions,
    half_pixel,
    interpolate,
    interpolation_matrix,
    measured,
    needs_measuring,
)
from video_cam.layers.receptive_field import UNKNOWN, AxisReceptiveField, AxisStep

# ------------------------------------------------------------------------------------ centres


@pytest.mark.parametrize(
    ("align_axis", "cells", "size", "expected"),
    [
        (half_pixel, 2, 16, [3.5, 11.5]),
        (half_pixel, 1, 16, [7.5]),
        (half_pixel, 4, 4, [0, 1, 2, 3]),
        (corners, 2, 16, [0, 15]),
        (corners, 1, 16, [7.5]),
        (arithmetic, 2, 16, [3.5, 11.5]),  # the receptive field is unknown: half-pixel
    ],
)
def test_centres(align_axis, cells: int, size: int, expected: list[float]) -> None:
    assert align_axis(cells, size).tolist() == expected


def test_arithmetic_needs_a_field_with_the_same_number_of_cells() -> None:
    field = AxisReceptiveField((AxisStep(3, 2, 1),))
    assert arithmetic(8, 16, field).tolist() == list(range(0, 16, 2))
    assert arithmetic(4, 16, field).tolist() == half_pixel(4, 16).tolist()


def test_measured_cells_keep_their_distance_and_are_moved_by_the_mean_offset() -> None:
    """Stride 2 from 0 on; measured closer together, and half a sample later in the mean."""
    field = AxisReceptiveField((AxisStep(3, 2, 1),), measured=(1.5, 2.5, 3.5))
    np.testing.assert_allclose(measured(3, 6, field), [0.5, 2.5, 4.5])
    np.testing.assert_allclose(measured(3, 6, replace(field, measured=())), [0, 2, 4])


def test_a_measured_centre_lies_within_the_receptive_field() -> None:
    one_frame = AxisReceptiveField((), measured=(0.6, 1.7, 2.4))  # of frames that are scored singly
    assert cell_centres((3, 3, 3), (3, 3, 3), (one_frame,) * 3, "probe").t.tolist() == [0, 1, 2]
    field = AxisReceptiveField((AxisStep(3, 1, 1), AxisStep(3, 2, 1, 2)), measured=(9.0,))
    assert field.length() == 2 * (3 - 1) + 2 * 2 + 1
    # By arithmetic the centre is 1, and half of the field is 4.
    assert cell_centres((1, 1, 1), (4, 4, 4), (field,) * 3, "probe").t.tolist() == [5]


def test_alignments_in_time_and_in_space() -> None:
    field = AxisReceptiveField((AxisStep(3, 2, 1),), measured=(1.0, 3.0))
    expected = {  # centres of two cells for four samples: in time, in space
        "receptive-field": ([0, 2], [0.5, 2.5]),
        "probe": ([1, 3], [1, 3]),
        "half-pixel": ([0.5, 2.5], [0.5, 2.5]),
        "corners": ([0, 3], [0, 3]),
        "nearest": ([0.5, 2.5], [0.5, 2.5]),
    }
    assert expected.keys() == ALIGNMENTS.keys() == set(ALIGNMENT_NAMES)
    for align, (in_time, in_space) in expected.items():
        centres = cell_centres((2, 2, 2), (4, 4, 4), (field,) * 3, align)
        assert centres.t.tolist() == in_time
        assert centres.y.tolist() == centres.x.tolist() == in_space
        assert centres.grid == (2, 2, 2) and centres.nearest == (align in NEAREST)
        assert needs_measuring(align) == (align == "probe")


# ------------------------------------------------------------------------------ interpolation


def test_interpolation_is_linear_between_centres_and_constant_beyond() -> None:
    matrix = interpolation_matrix(np.array([0.0, 8.0]), np.array([-1.0, 0.0, 2.0, 8.0, 15.0]))
    np.testing.assert_allclose(matrix, [[1, 0], [1, 0], [0.75, 0.25], [0, 1], [0, 1]])


@pytest.mark.parametrize(
    ("align", "options"),
    [
        ("half-pixel", {"mode": "trilinear"}),
        ("corners", {"mode": "trilinear", "align_corners": True}),
        ("nearest", {"mode": "nearest"}),
    ],
)
def test_interpolation_equals_that_of_torch(align: str, options: dict) -> None:
    values = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    size = (6, 15, 12)
    centres = cell_centres((3, 5, 4), size, UNKNOWN, align)
    expected = functional.interpolate(values[:, None], size=size, **options)[:, 0]
    torch.testing.assert_close(interpolate(values, centres, size, size), expected)


def test_halfway_between_two_centres_the_later_one_is_nearest() -> None:
    matrix = interpolation_matrix(np.array([1.0, 5.0]), np.array([0, 2.9, 3, 9]), nearest=True)
    assert matrix.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]


def test_a_grid_of_another_size_covers_the_same_extent() -> None:
    assert grid_positions(4, 8).tolist() == [0.5, 2.5, 4.5, 6.5]
    assert grid_positions(8, 4).tolist() == [-0.25, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25]


def test_gathering_takes_weighted_means_around_cells() -> None:
    """Two cells, on samples 0 and 2 of four in time; one cell in space."""
    centres = CellCentres(np.array([0.0, 2.0]), np.array([0.5]), np.array([0.5]))
    values = torch.tensor([4.0, 8.0, 2.0, 6.0])[None, :, None, None].expand(1, 4, 2, 2)
    found = gather_onto(values, centres, (4, 2, 2))
    # Weights of the samples: 1, 1/2, 0, 0 of the first cell, and 0, 1/2, 1, 1 of the second.
    torch.testing.assert_close(found.flatten(), torch.tensor([8 / 1.5, 12 / 2.5]))


@pytest.mark.parametrize(
    ("align", "lag"), [("receptive-field", 0), ("probe", 0), ("half-pixel", 3.5)]
)
def test_the_lag_of_a_map(align: str, lag: float) -> None:
    """A bright frame on a cell's tap; half-pixel alignment is late by half a cell less 1/2."""
    x = torch.zeros(1, 3, *SIZE)
    x[:, :, 16, 16, 16] = 1
    [cam] = compute_cams(centre_taps("same"), x, layers=["last"], targets=[0], align=align)
    mass = upsample(cam, SIZE)[0].sum((1, 2)).numpy()
    assert (mass * np.arange(SIZE[0])).sum() / mass.sum() - 16 == pytest.approx(lag, abs=0.1)
