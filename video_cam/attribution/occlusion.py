"""Occlusion: how far the score falls when a part of the clip is hidden."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from video_cam.attribution.method_inputs import TargetPass
from video_cam.layers.alignment import CellCentres, half_pixel
from video_cam.layers.axes import input_size, run_network
from video_cam.layers.hooks import frozen_evaluation
from video_cam.utils.nested import map_tensors

CELLS = (2, 4, 4)


def occlusion(targets: Sequence[TargetPass]) -> tuple[list[Tensor], CellCentres]:
    """The score of the clip minus its score with a cell filled, for each cell."""
    first = targets[0]
    size = input_size(first.x)
    grid = [min(cells, length) for cells, length in zip(CELLS, size, strict=True)]
    edges = [[i * n // g for i in range(g + 1)] for g, n in zip(grid, size, strict=True)]
    values = [one.scores.detach().float().new_zeros(len(one.scores), *grid) for one in targets]
    with frozen_evaluation(first.model), torch.no_grad():
        for t in range(grid[0]):
            for y in range(grid[1]):
                for x in range(grid[2]):
                    box = [slice(edges[a][i], edges[a][i + 1]) for a, i in enumerate((t, y, x))]

                    def fill(clip: Tensor, box: list[slice] = box) -> Tensor:
                        clip = clip.detach().clone()
                        clip[(slice(None), slice(None), *box)] = 0
                        return clip

                    outputs = run_network(first.model, map_tensors(fill, first.x))
                    for one, own in zip(targets, values, strict=True):
                        for n in range(len(own)):
                            own[n, t, y, x] = one.scores[n] - one.score(outputs, n)[n]
    t_, y_, x_ = (half_pixel(g, n) for g, n in zip(grid, size, strict=True))
    return values, CellCentres(t_, y_, x_)
