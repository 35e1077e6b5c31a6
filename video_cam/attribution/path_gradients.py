"""Integrated gradients along a short path from a blurred input, smoothed: where evidence enters.

Integrated gradients (Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", eq. 1)
are (x - b) times the mean gradient on the straight path from a baseline b to x. They add up to the
difference of the scores of x and b, the better the more steps are taken.

As a baseline the input itself is blurred in space and time (as in Blur-IG, Xu et al. 2020,
"Attribution in Scale and Space", and Fong and Vedaldi 2017): it holds no detail, but its colours
and its brightness. On drawn clips average precision was 0.69 with it, 0.65 with the mean over time
and 0.61 with zeros. One step, in the middle of the path, did as well there (0.69) as two (0.69) and
better than the gradient at x itself (0.66); 32 steps gave no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from video_cam.attribution.targets import Target, target_scores
from video_cam.errors import UsageError
from video_cam.layers.alignment import CellCentres, Positions, grid_positions
from video_cam.layers.axes import TIME, detached, has_pixels, run_network
from video_cam.layers.differentiable import (
    no_gradient,
    reentrant_checkpoints_refused,
    refuse_quantised,
)
from video_cam.layers.hooks import frozen_evaluation, retried_with_copies
from video_cam.layers.pathways import frame_positions
from video_cam.utils.devices import sent
from video_cam.utils.nested import map_tensors, tensors_in

STEPS = 1
# Standard deviations, as shares of the number of frames and of the shorter side: of the blur that
# makes the baseline, and of the smoothing of the result.
BLUR = (3 / 16, 6 / 64)
SMOOTHING = (1 / 16, 3 / 64)
CELLS_PER_SIDE = 28  # of the result along the shorter side, at least


def integrated_gradients(
    model: nn.Module, x: Any, target: Target, baseline: Any, steps: int = STEPS
) -> list[Tensor]:
    """(x - b) times the mean gradient at ``steps`` points of the path from b to x.

    The points are the middles of equal parts of the path. The network is left exactly as it was.

    Args:
        x: what the network's forward takes: a tensor, or several in a container.
        target: as in ``targets.target_scores``, but not None.
        baseline: in the form of ``x``; tensors without pixels are taken from ``x``.
        steps: passes forward and backward.

    Returns:
        For each tensor with pixels (N, C, T, H, W) or (N, C, H, W) in ``x``: signed, in its shape
        and dtype.

    Raises:
        UsageError: where the score does not depend on the input.
    """
    refuse_quantised(model)
    ends = list(zip(_with_pixels(baseline), _with_pixels(x), strict=True))
    if not ends:
        raise UsageError("the input holds no floating-point pixels")
    means = [torch.zeros_like(b) for b, _ in ends]
    for step in range(steps):
        share = (step + 0.5) / steps
        points = [torch.lerp(b, tensor.to(b), share) for b, tensor in ends]
        gradients = _gradients(model, x, points, target)
        means = [mean + part / steps for mean, part in zip(means, gradients, strict=True)]
    return [(x - b) * mean for (b, x), mean in zip(ends, means, strict=True)]


def blurred(x: Any) -> Any:
    """The input, with every tensor with pixels blurred by BLUR; the others are the same."""

    def blur(x: Tensor) -> Tensor:
        if not has_pixels(x):
            return x
        in_time, in_space = BLUR
        axes = {-1: in_space * min(x.shape[-2:]), -2: in_space * min(x.shape[-2:])}
        if x.ndim == 5:
            axes[TIME] = in_time * x.shape[TIME]
        for axis, sigma in axes.items():
            positions = np.arange(x.shape[axis], dtype=np.float64)
            x = _filtered(x, axis, _gaussian(positions, positions, sigma))
        return x

    return map_tensors(blur, detached(x))


def attribution_cells(size: Sequence[int]) -> CellCentres:
    """The grid of ``attribution_on_cells`` in an input of (T, H, W): one cell for each frame."""
    frames, height, width = size
    step = max(1, min(height, width) // CELLS_PER_SIDE)
    y, x = (grid_positions(-(-side // step), side) for side in (height, width))
    return CellCentres(np.arange(frames, dtype=np.float64), y, x)


def attribution_on_cells(
    attributions: Sequence[Tensor], inputs: Sequence[Tensor], size: Sequence[int]
) -> Tensor:
    """|sum over colours| of attributions, smoothed by SMOOTHING, at the centres of a grid.

    The absolute value, because what speaks for the class by being darker than the baseline is as
    much of the evidence; the map that it is multiplied with holds the sign.

    Args:
        attributions: of ``integrated_gradients``; of several pathways they are added.
        inputs: the tensors with pixels that they are of.
        size: (T, H, W) of the input, of the pathway with the most frames.

    Returns:
        (N, T, H', W') with the grid of ``attribution_cells``, not negative.
    """
    centres = attribution_cells(size)
    sigmas = (SMOOTHING[0] * size[0], *[SMOOTHING[1] * min(size[1:])] * 2)
    frames = frame_positions(inputs)
    total: Tensor | None = None
    for one, times in zip(attributions, frames, strict=True):
        values = one.sum(1, keepdim=one.ndim == 4).abs()
        places = [times.numpy() if len(times) else np.zeros(1)]
        places += [
            grid_positions(length, side)
            for length, side in zip(values.shape[2:], size[1:], strict=True)
        ]
        for axis, name in enumerate("tyx", start=1):
            matrix = _gaussian(getattr(centres, name), places[axis - 1], sigmas[axis - 1])
            values = _filtered(values, axis, matrix)
        total = values if total is None else total + values
    assert total is not None  # there is an input with pixels
    return total


def input_attribution(model: nn.Module, x: Any, target: Target, size: Sequence[int]) -> Tensor:
    """``attribution_on_cells`` of ``integrated_gradients`` from the blurred input.

    Args:
        x: what the network's forward takes.
        target: as in ``targets.target_scores``, but not None.
        size: (T, H, W) of the input.

    Raises:
        UsageError: where the score does not depend on the input.
    """
    attributions = integrated_gradients(model, x, target, blurred(x))
    return attribution_on_cells(attributions, _with_pixels(x), size)


def _gradients(model: nn.Module, x: Any, points: Sequence[Tensor], target: Target) -> list[Tensor]:
    """The gradients of the target's scores at an input with other pixels."""
    with ExitStack() as stack:
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(reentrant_checkpoints_refused())
        return retried_with_copies(partial(_gradients_once, model, x, points, target))


def _gradients_once(
    model: nn.Module, x: Any, points: Sequence[Tensor], target: Target
) -> list[Tensor]:
    leaves = [point.detach().clone().requires_grad_() for point in points]
    # Clones, because the network may begin with an in-place operation, which a leaf refuses.
    rest = iter([leaf.clone() for leaf in leaves])
    mixed = map_tensors(lambda tensor: next(rest) if has_pixels(tensor) else tensor, detached(x))
    scores, _ = target_scores(run_network(model, mixed), target)
    if not scores.requires_grad:
        raise no_gradient("the input")
    gradients = torch.autograd.grad(scores.sum(), leaves, allow_unused=True)
    if all(gradient is None for gradient in gradients):
        raise UsageError("the score does not depend on the input")
    return [
        torch.zeros_like(leaf) if gradient is None else gradient
        for leaf, gradient in zip(leaves, gradients, strict=True)
    ]


def _with_pixels(x: Any) -> list[Tensor]:
    return [tensor for tensor in tensors_in(detached(x)) if has_pixels(tensor)]


def _gaussian(centres: Positions, places: Positions, sigma: float) -> Tensor:
    """float32 (centres, places): weights of a Gaussian around each centre; rows sum to 1."""
    distances = (centres[:, None] - places) / max(sigma, 1e-6)
    # The nearest place has weight 1 before scaling, so that no row is 0.
    weights = np.exp(-0.5 * (distances**2 - (distances**2).min(1, keepdims=True)))
    return torch.from_numpy((weights / weights.sum(1, keepdims=True)).astype(np.float32))


def _filtered(values: Tensor, axis: int, matrix: Tensor) -> Tensor:
    weights = sent(matrix.to(values.dtype), values.device)
    return torch.tensordot(values, weights, dims=([axis], [1])).movedim(-1, axis)
