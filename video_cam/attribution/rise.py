"""RISE: which parts of the clip does the score need, by random masks over space and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from video_cam.attribution.altered_inputs import AlteredInputs
from video_cam.attribution.input_maps import InputMaps, Sampling
from video_cam.attribution.method_inputs import TargetPass
from video_cam.layers.alignment import CellCentres, half_pixel
from video_cam.perturbation.soft_masks import KEPT, MaskDrawing
from video_cam.utils.devices import on_cpu, sent

CELLS = (4, 7, 7)  # of the coarse grid of a mask, along (T, H, W)
FINER = 2  # cells of the map to one of these
FIRST_ROUND = 128  # masks before the standard error is looked at; then twice as many, and so on


def rise(targets: Sequence[TargetPass]) -> InputMaps:
    """How the score changes with the part of the clip that random masks keep.

    With m_i the masks, whose mean is p = KEPT everywhere, and S_i the scores of the masked clips,

        map(cell) = sum_i (S_i - mean S) (m_i(cell) - p) / ((n - 1) p (1 - p))

    Petsiuk et al. 2018 ("RISE", eq. 6), with masks over space and time, and less the mean score:
    their estimate minus what a cell without any effect has, divided by 1 - p. So a map has a sign,
    and where the score is a sum over the cells of a mask without interpolation, it is the terms.

    A sample is done when, after FIRST_ROUND masks, or twice, four times, ... as many, the root mean
    square of the standard errors of its cells is at most ``config.mask_error`` times the largest
    absolute value, for each target.

    Args:
        targets: of one input.
    """
    config = targets[0].config
    inputs = AlteredInputs(targets, "rise")
    drawing = MaskDrawing(CELLS, inputs.size, config.seed)
    grid = [min(FINER * cells, n) for cells, n in zip(drawing.cells, inputs.size, strict=True)]
    open_samples = [*range(inputs.num_samples)]
    masks = torch.empty(0, *grid)
    seen = [torch.empty(len(targets), 0, dtype=torch.float64) for _ in open_samples]
    done: dict[int, tuple[Tensor, Tensor]] = {}
    with targets[0].progress("rise", inputs.num_samples * config.masks) as step:
        for count in _rounds(config.masks, config.mask_error):
            drawn = drawing.draw(count - len(masks))
            masks = torch.cat([masks, torch.stack([mask.over(grid) for mask in drawn])])
            changes = [mask.blended for mask in drawn]
            scores = on_cpu(inputs.scores(open_samples, changes, step))
            for row, sample in enumerate(open_samples):
                new = torch.stack([of_target[row].double() for of_target in scores])
                seen[sample] = torch.cat([seen[sample], new], 1)
                done[sample] = estimate(masks.double(), seen[sample])
            open_samples = [
                one for one in open_samples if not is_precise(*done[one], config.mask_error)
            ]
            if not open_samples:
                break
    counts = tuple(scores.shape[1] for scores in seen)
    values, errors = (
        torch.stack([done[sample][part] for sample in range(inputs.num_samples)], 1).float()
        for part in (0, 1)
    )
    t, y, x = map(half_pixel, grid, inputs.size)
    return InputMaps(
        list(sent(values, targets[0].scores.device)),
        CellCentres(t, y, x),
        inputs.notes,
        [Sampling(counts, of_target) for of_target in errors],
    )


def estimate(masks: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """The map of ``rise`` and its standard error.

    Args:
        masks: float64 (n, T', H', W').
        scores: float64 (targets, n).

    Returns:
        Two of (targets, T', H', W').
    """
    n, scale = len(masks), KEPT * (1 - KEPT)
    deviations = scores - scores.mean(1, keepdim=True)
    flat = (masks - KEPT).flatten(1)
    values = deviations @ flat / (n - 1)
    squares = deviations**2 @ flat**2 / n - values**2
    errors = (squares.clamp(min=0) / n).sqrt()
    values, errors = ((one / scale).reshape(-1, *masks.shape[1:]) for one in (values, errors))
    return values, errors


def is_precise(values: Tensor, errors: Tensor, allowed: float) -> bool:
    """Whether the maps' standard errors are small enough; see ``rise``.

    Args:
        values, errors: (targets, T', H', W').
        allowed: of the largest absolute value; 0 for never.
    """
    if not allowed:
        return False
    size = errors.flatten(1).square().mean(1).sqrt()
    return bool((size <= allowed * values.flatten(1).abs().amax(1)).all())


def _rounds(masks: int, allowed: float) -> Iterator[int]:
    """After how many masks the standard error is looked at, rising; the last is all of them."""
    count = FIRST_ROUND
    while allowed and count < masks:
        yield count
        count *= 2
    yield masks
