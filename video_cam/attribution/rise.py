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
from video_cam.utils.progress import Step

CELLS = (4, 4, 4)  # of the coarse grid of a mask, along (T, H, W)
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
    inputs = AlteredInputs(targets)
    config = targets[0].config
    total = inputs.num_samples * config.masks
    with inputs.own_precision(), targets[0].progress("rise", total) as step:
        run = _Run(inputs, MaskDrawing(CELLS, inputs.size, config.seed))
        for count in _rounds(config.masks, config.mask_error):
            run.score_until(count, step)
            run.close_precise(config.mask_error)
    values, errors = run.maps()
    t, y, x = map(half_pixel, run.grid, inputs.size)
    return InputMaps(
        list(sent(values, targets[0].scores.device)),
        CellCentres(t, y, x),
        inputs.notes,
        [Sampling(run.num_masks(), of_target) for of_target in errors],
    )


class _Run:
    """The scores of masked samples so far.

    Attributes:
        grid: cells of the maps, (T', H', W').
    """

    def __init__(self, inputs: AlteredInputs, drawing: MaskDrawing) -> None:
        self._inputs, self._drawing = inputs, drawing
        self.grid = [
            min(FINER * cells, length)
            for cells, length in zip(drawing.cells, inputs.size, strict=True)
        ]
        self._masks = torch.empty(0, *self.grid, dtype=torch.float64)
        self._open = [*range(inputs.num_samples)]
        # Of each sample: (targets, masks)
        self._scores = [torch.empty(inputs.num_targets, 0, dtype=torch.float64) for _ in self._open]

    def score_until(self, count: int, step: Step) -> None:
        """Draw masks until there are ``count``, and score the samples that are not done."""
        if not self._open:
            return
        drawn = self._drawing.draw(count - len(self._masks))
        at_cells = torch.stack([mask.over(self.grid) for mask in drawn])
        self._masks = torch.cat([self._masks, at_cells.double()])
        changes = [mask.blended for mask in drawn]
        scores = torch.stack(on_cpu(self._inputs.scores(self._open, changes, step)))
        for row, sample in enumerate(self._open):
            new = scores[:, row].double()
            self._scores[sample] = torch.cat([self._scores[sample], new], 1)

    def close_precise(self, allowed: float) -> None:
        """Score the samples no more whose maps are precise enough."""
        self._open = [
            sample for sample in self._open if not is_precise(*self._estimate(sample), allowed)
        ]

    def maps(self) -> tuple[Tensor, Tensor]:
        """The maps and their standard errors: float32 (targets, N, T', H', W') on the CPU."""
        estimates = [self._estimate(sample) for sample in range(len(self._scores))]
        values, errors = (torch.stack(part, 1).float() for part in zip(*estimates, strict=True))
        return values, errors

    def num_masks(self) -> tuple[int, ...]:
        """How many masks were scored, for each sample."""
        return tuple(scores.shape[1] for scores in self._scores)

    def _estimate(self, sample: int) -> tuple[Tensor, Tensor]:
        scores = self._scores[sample]
        return estimate(self._masks[: scores.shape[1]], scores)


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
