"""Occlusion: how far the score falls when a part of the clip is hidden."""

from __future__ import annotations

from collections.abc import Sequence

from video_cam.attribution.altered_inputs import AlteredInputs
from video_cam.attribution.input_maps import InputMaps
from video_cam.attribution.method_inputs import TargetPass
from video_cam.layers.alignment import CellCentres, half_pixel
from video_cam.perturbation.boxes import BoxGrid

CELLS, BOX = (8, 8, 8), (2, 2, 2)  # along (T, H, W)


def occlusion(targets: Sequence[TargetPass]) -> InputMaps:
    """The drop of the score when a box is hidden, averaged over the boxes that cover a cell.

    With S the score, x the clip, and x_b the clip whose box b is filled,

        map(cell) = mean over the boxes b that cover the cell of S(x) - S(x_b)

    Zeiler and Fergus 2014 ("Visualizing and Understanding Convolutional Networks", section 4.2),
    with boxes over several frames. A map is negative where the score rises without the cell.

    Args:
        targets: of one input.
    """
    inputs = AlteredInputs(targets)
    grid = box_grid(inputs.size)
    boxes = grid.boxes()
    samples = range(inputs.num_samples)
    with targets[0].progress("occlude", len(samples) * len(boxes)) as step:
        scores = inputs.scores(samples, [box.filled for box in boxes], step)
    with inputs.own_precision():
        maps = [
            grid.means_of_cells(one.scores.detach()[:, None].to(own) - own)
            for one, own in zip(targets, scores, strict=True)
        ]
    t, y, x = map(half_pixel, grid.cells, inputs.size)
    return InputMaps(maps, CellCentres(t, y, x), inputs.notes)


def box_grid(size: Sequence[int]) -> BoxGrid:
    """The cells and boxes of an input of ``size`` (T, H, W)."""
    return BoxGrid.fitting(CELLS, BOX, size)
