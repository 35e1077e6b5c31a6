"""Boxes of cells: their places in clips of any size, and means over those that cover a cell."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from video_cam.perturbation.boxes import BoxGrid


@pytest.mark.parametrize(
    ("cells", "box", "size", "expected"),
    [
        ((8, 8, 8), (2, 2, 2), (16, 112, 112), ((8, 8, 8), (2, 2, 2))),
        ((8, 8, 8), (2, 2, 2), (1, 32, 5), ((1, 8, 5), (1, 2, 2))),
        # A box over all cells would hide the whole clip.
        ((8, 8, 8), (2, 3, 3), (2, 3, 2), ((2, 3, 2), (1, 2, 1))),
    ],
)
def test_a_grid_fits_its_clip(cells, box, size, expected) -> None:
    grid = BoxGrid.fitting(cells, box, size)
    assert (grid.cells, grid.box) == expected


def test_boxes_are_where_their_cells_are() -> None:
    grid = BoxGrid((4, 3, 2), (2, 1, 1))
    assert grid.shape == (3, 3, 2) and len(grid.boxes()) == 18
    clip, fill = torch.zeros(2, 8, 7, 4), torch.ones(2, 8, 7, 4)
    box = grid.boxes()[1 * 6 + 2 * 2 + 1]  # from cell (1, 2, 1): frames 2-5, rows 4-6, columns 2-3
    filled = box.filled(clip, fill)
    expected = torch.zeros(2, 8, 7, 4)
    expected[:, 2:6, 4:7, 2:4] = 1
    assert torch.equal(filled, expected) and not clip.any()
    half = box.filled(torch.zeros(2, 4, 7, 4), torch.ones(2, 4, 7, 4))  # a clip of half as many
    assert half[0, :, 5, 3].tolist() == [0, 1, 1, 0]


def test_every_place_is_in_a_box() -> None:
    grid = BoxGrid((3, 4, 5), (2, 2, 2))
    clip = torch.zeros(1, 7, 9, 11)
    count = sum(box.filled(clip, torch.ones_like(clip)) for box in grid.boxes())
    assert count.min() == 1 and count.max() == 8


def test_means_are_over_the_boxes_that_cover_a_cell() -> None:
    grid = BoxGrid((4, 3, 5), (2, 1, 3))
    values = torch.randn(2, len(grid.boxes()), dtype=torch.float64)
    means = grid.means_of_cells(values)
    for cell in product(*map(range, grid.cells)):
        covering = [
            number
            for number, box in enumerate(grid.boxes())
            if all(f <= c < f + n for f, c, n in zip(box.first, cell, grid.box, strict=True))
        ]
        expected = values[:, covering].mean(1)
        torch.testing.assert_close(means[(slice(None), *cell)], expected)
