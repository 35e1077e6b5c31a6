"""Measured alignment: where a layer's cells look, measured by small perturbations of the input.

With J the derivative of a cell with respect to the input, G = J^2 and v white noise,

    E[(J v)^2] = sum_i G_i,   E[(J v)(J p v)] = sum_i p_i G_i,   E[(J p v)^2] = sum_i p_i^2 G_i

for any weights p over the input's positions (the randomised trace estimator of Hutchinson 1990). So
a few forward passes give the centre and the width of the squared gradient of every cell of every
layer, without a backward pass: J v is the difference of two outputs.

In space v is white noise. In time it is a small part of the difference between neighbouring frames,
with random signs: video networks respond to motion, and white noise is not motion that they were
trained on. docs, "Alignment", has the measurements of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

# Small, so that few ReLUs of the network change their side.
NOISE_SCALE = 1e-2  # of an input of unit variance
MOTION_SCALE = 5e-2  # of the difference between frames
SIGN_BLOCKS = 8  # along height and width, each with its own random sign in every frame
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

    The network runs six times on each of ``samples`` drawn clips, the same ones in every call. Its
    state and the global random state stay as they were.

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
    sums: dict[str, list[_Moments]] = {}
    generator = torch.Generator().manual_seed(0)
    for sample in range(_default_samples(model) if samples is None else samples):
        x = drawn_input(FIRST_SEED + sample, size).to(parameter)
        _add_clip(sums, run, x, generator)
    found = {
        layer: [one.field(n) for one, n in zip(axes, size, strict=True)]
        for layer, axes in sums.items()
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
    sums: dict[str, list[_Moments]],
    run: Callable[[Tensor, OnOutput], None],
    x: Tensor,
    generator: torch.Generator,
) -> None:
    """Add what one clip (1, 3, T, H, W) shows to the moments of every layer and axis."""
    base: dict[str, Tensor] = {}
    run(x, base.__setitem__)
    for perturbation, axes in _perturbations(x, generator):
        perturbed: dict[str, Tensor] = {}
        run(x + perturbation, perturbed.__setitem__)
        for axis in axes:
            # Added during the pass: all layers of a large network together take gigabytes.
            add = partial(_add_output, sums, base, perturbed, axis)
            run(x + _ramp(x, axis) * perturbation, add)


def _add_output(
    sums: dict[str, list[_Moments]],
    base: dict[str, Tensor],
    perturbed: dict[str, Tensor],
    axis: int,
    layer: str,
    weighted: Tensor,
) -> None:
    """Add one layer's outputs for the clip, its perturbation, and the perturbation times a ramp."""
    if layer in base and layer in perturbed:
        axes = sums.setdefault(layer, [_Moments() for _ in range(3)])
        axes[axis].add(perturbed[layer] - base[layer], weighted - base[layer], axis)


def _perturbations(
    x: Tensor, generator: torch.Generator
) -> Iterator[tuple[Tensor, tuple[int, ...]]]:
    """Perturbations of a clip (1, C, T, H, W), each with the axes of (T, H, W) it is used for."""
    noise = NOISE_SCALE * torch.randn(x.shape, generator=generator).to(x)
    yield _motion(x, generator) if x.shape[2] > 1 else noise, (0,)
    yield noise, (1, 2)


def _motion(x: Tensor, generator: torch.Generator) -> Tensor:
    """MOTION_SCALE of the difference to the frame before, with random signs in blocks.

    The first frame is moved towards the second one, or away from it.
    """
    before = torch.cat([x[:, :, 1:2], x[:, :, :-1]], 2)
    shape = (1, x.shape[2], SIGN_BLOCKS, SIGN_BLOCKS)
    signs = torch.randint(0, 2, shape, generator=generator) * 2.0 - 1
    spread = torch.nn.functional.interpolate(signs, x.shape[3:], mode="nearest")
    return MOTION_SCALE * spread[:, None].to(x) * (before - x)


class _Moments:
    """Moments 0, 1 and 2 of the squared gradient along one axis, for each cell of the axis."""

    def __init__(self) -> None:
        self._moments: Any = 0.0  # (3, cells)

    def add(self, change: Tensor, weighted_change: Tensor, axis: int) -> None:
        """Add output changes (N, K, T', H', W') by a perturbation, and by it times the ramp."""
        others = [0, 1, *(dim for dim in (2, 3, 4) if dim != axis + 2)]
        products = (change * change, change * weighted_change, weighted_change * weighted_change)
        self._moments = (
            self._moments
            + torch.stack([p.sum(others, dtype=torch.float64) for p in products]).cpu().numpy()
        )

    def field(self, length: int) -> MeasuredField | None:
        """Centres and width in samples of an axis of ``length``; None where a gradient is 0."""
        total, first, second = self._moments
        if not (total > 0).all():
            return None
        mean = first / total
        middle, half = (length - 1) / 2, length / 2  # the ramp is (position - middle) / half
        variance = np.maximum(second / total - mean**2, 0).mean() * half**2
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
