"""Measured alignment: where a layer's cells look, measured by small perturbations of the input.

With J the derivative of a cell with respect to the input, G = J^2, v white noise and p a ramp from
-1 to 1 along one axis of the input, let

    E0 = (J v)^2,   E+ = (J (1 + p)/2 v)^2,   E- = (J (1 - p)/2 v)^2

Their means over v are sums over the input's positions i (the randomised trace estimator of
Hutchinson 1990, and the polarisation identity):

    E[E0] = sum_i G_i,   E[E+ - E-] = sum_i p_i G_i,   E[2 (E+ + E-) - E0] = sum_i p_i^2 G_i

So a few forward passes give the centre and the width of the squared gradient of every cell of every
layer, without a backward pass: J v is the difference of two outputs.

The centre is unbiased for any clip. Every frame and pixel gets noise of the same strength and kind,
independent of all others, so it counts by its gradient alone: a linear filter h over time has the
centre sum_t t h_t^2 / sum_t h_t^2. Frames do not count more where the clip moves there.

Networks are not linear. Besides J v, the difference of two outputs has a part that is the same for
v and -v: noise raises the mean behind a ReLU. In a product of the answers to v and to p v that part
would be positive wherever it comes from, and would move all centres towards p = 1. E+ and E- take
it with equal weights at mirrored positions, so that it moves nothing to either side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models3d import draw_clip
from video_cam.layers.axes import Unpacks, for_layer
from video_cam.layers.hooks import (
    find_module,
    first_tensor,
    forward_hooks,
    frozen_evaluation,
)

# Of an input of unit variance: small, so that few ReLUs of the network change their side.
NOISE_SCALE = 2e-2
FIRST_SEED = 3_000_000
# A network with many channels averages over them; a small one needs more clips, which are cheap.
LARGE_NETWORK_PARAMETERS, CLIPS_FOR_SMALL_NETWORKS = 10_000_000, 8

OnOutput = Callable[[str, Tensor], Any]  # (layer, its output as a grid) -> ignored


@dataclass(frozen=True)
class MeasuredField:
    """Where the cells of a layer look along one axis, in input frames or pixels.

    Attributes:
        centres: float64 (cells,), the centres of the cells' squared gradients.
        width: length of a box with the same variance (the root of 12 times the variance), the mean
            over the cells.
    """

    centres: np.ndarray
    width: float


MeasuredFields = tuple[MeasuredField, MeasuredField, MeasuredField]  # along t, y, x


def measure(
    model: nn.Module,
    layers: Sequence[str],
    size: Sequence[int],
    unpack: Unpacks,
    samples: int | None = None,
) -> dict[str, MeasuredFields]:
    """Centres and widths of what the cells of each layer look at.

    The network runs eight times on each of ``samples`` drawn clips, the same ones in every call.
    Its state and the global random state stay as they were.

    Args:
        layers: module names.
        size: (T, H, W) of the input; the network takes clips (1, 3, T, H, W).
        unpack: brings a layer's output to (N, K, T', H', W').
        samples: number of clips; by default 1 for networks with LARGE_NETWORK_PARAMETERS or more,
            else CLIPS_FOR_SMALL_NETWORKS.

    Returns:
        Layer -> fields along (T, H, W), without layers that have no grid or a cell whose gradient
        is zero.
    """
    parameter = next(model.parameters())
    run = partial(_run, model, layers, unpack)
    answers: dict[str, _Answers] = {}
    generator = torch.Generator().manual_seed(0)
    for sample in range(_default_samples(model) if samples is None else samples):
        x = drawn_input(FIRST_SEED + sample, size).to(parameter)
        _add_clip(answers, run, x, generator)
    found = {
        layer: tuple(answer.field(axis, length) for axis, length in enumerate(size))
        for layer, answer in answers.items()
    }
    return {
        layer: (t, y, x)
        for layer, (t, y, x) in found.items()
        if t is not None and y is not None and x is not None
    }


def _default_samples(model: nn.Module) -> int:
    is_large = sum(p.numel() for p in model.parameters()) >= LARGE_NETWORK_PARAMETERS
    return 1 if is_large else CLIPS_FOR_SMALL_NETWORKS


def _add_clip(
    answers: dict[str, _Answers],
    run: Callable[[Tensor, OnOutput], None],
    x: Tensor,
    generator: torch.Generator,
) -> None:
    """Add how every layer answers to one noise on one clip (1, 3, T, H, W)."""
    base: dict[str, Tensor] = {}
    run(x, base.__setitem__)
    noise = NOISE_SCALE * torch.randn(x.shape, generator=generator).to(x)
    # Added during the pass: all layers of a large network together take gigabytes.
    run(x + noise, partial(_add_output, answers, base, WHOLE, range(3)))
    for axis in range(3):
        for part, sign in ((AFTER, 1), (BEFORE, -1)):
            share = (1 + sign * _ramp(x, axis)) / 2
            run(x + share * noise, partial(_add_output, answers, base, part, (axis,)))


def _add_output(
    answers: dict[str, _Answers],
    base: dict[str, Tensor],
    part: int,
    axes: Iterable[int],
    layer: str,
    output: Tensor,
) -> None:
    """Add one layer's answer to a part of the noise, for these axes."""
    if layer in base:
        energy = (output - base[layer]).square()
        for axis in axes:
            answers.setdefault(layer, _Answers()).add(part, axis, energy)


# E0, E+ and E- of the module's docstring.
WHOLE, AFTER, BEFORE = range(3)


class _Answers:
    """How strongly the cells of one layer answer to the parts of the noise, along each axis."""

    def __init__(self) -> None:
        self._energies: dict[tuple[int, int], np.ndarray] = {}

    def add(self, part: int, axis: int, energy: Tensor) -> None:
        """Add squared output changes (N, K, T', H', W')."""
        others = [0, 1, *(dim for dim in (2, 3, 4) if dim != axis + 2)]
        found = energy.sum(others, dtype=torch.float64).cpu().numpy()
        self._energies[part, axis] = self._energies.get((part, axis), 0.0) + found

    def field(self, axis: int, length: int) -> MeasuredField | None:
        """Centres and width in samples of an axis of ``length``; None where a gradient is 0."""
        whole, after, before = (self._energies[part, axis] for part in (WHOLE, AFTER, BEFORE))
        if not (whole > 0).all():
            return None
        mean = (after - before) / whole
        middle, half = (length - 1) / 2, length / 2  # the ramp is (position - middle) / half
        second = (2 * (after + before) - whole) / whole
        variance = np.maximum(second - mean**2, 0).mean() * half**2
        # Cells stay in their order, also where noise says otherwise.
        centres = np.maximum.accumulate(mean * half + middle) + 1e-6 * np.arange(len(mean))
        return MeasuredField(centres.clip(0, length - 1 + 1e-3), float(np.sqrt(12 * variance)))


def _ramp(x: Tensor, axis: int) -> Tensor:
    """From -1 to 1 along one axis of (T, H, W), in a shape that broadcasts over the others."""
    length = x.shape[axis + 2]
    ramp = (torch.arange(length) - (length - 1) / 2) / (length / 2)
    return ramp.reshape([-1 if dim == axis else 1 for dim in range(3)]).to(x)


def drawn_input(seed: int, size: Sequence[int]) -> Tensor:
    """A drawn clip (1, 3, T, H, W) of mean 0 and variance 1, as networks expect it."""
    num_frames, height, width = size
    frames = draw_clip(seed, num_frames=num_frames, size=max(height, width)).frames
    x = torch.from_numpy(frames[None, :, :height, :width]).permute(0, 4, 1, 2, 3).float()
    return ((x - x.mean()) / x.std()).contiguous()


def _run(
    model: nn.Module, layers: Sequence[str], unpack: Unpacks, x: Tensor, on_output: OnOutput
) -> None:
    """Run the network; ``on_output`` receives each layer's output as float32 (1, K, T', H', W')."""

    def hook(layer: str, _module: nn.Module, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None and tensor.ndim in (3, 4, 5):
            grid = for_layer(unpack, layer)(tensor)
            if grid.ndim == 5:
                # A copy, because later operations may change the output in place.
                on_output(layer, grid.detach().float().clone())

    modules = {name: find_module(model, name) for name in layers}
    with forward_hooks(modules, hook), frozen_evaluation(model), torch.inference_mode():
        model(x)
