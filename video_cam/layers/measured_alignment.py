"""Where a layer's cells look, measured: the input is disturbed a little, the cells answer.

With J the derivative of a cell with respect to the input and v white noise, the expectation of
(J v)^2 is the sum of squared gradients G, that of (J v)(J p v) the sum of p G, and that of
(J p v)^2 the sum of p^2 G, for any weight p of the input's positions. So a few forward passes give
centre and width of every cell of every layer, without a backward pass; J v is a difference.

In space v is white noise. In time it is a little of what one frame differs by from the frame
before, with random signs: networks for video answer to motion, and white noise has none that they
know. README, "Where a cell sits", has what either is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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

DISTURBANCE = 1e-2  # of an input of unit variance: small beside the kinks of ReLUs
DIFFERENCE = 5e-2  # of the difference between frames, for the same reason
BLOCKS = 8  # along height and width, each with a sign of its own in every frame
FIRST_SEED = 3_000_000
# A network of many channels averages over them; a small one is cheap to ask again.
MANY_PARAMETERS, SAMPLES_OF_SMALL = 10_000_000, 8


@dataclass(frozen=True)
class MeasuredField:
    """What the cells of a layer see along one axis, in input samples.

    centres: (cells,), where their squared gradient is centred. width: the length of a box as wide
    as it (the root of 12 times the variance), the mean over the cells.
    """

    centres: np.ndarray
    width: float


MeasuredFields = tuple[MeasuredField, MeasuredField, MeasuredField]  # t, y, x


def measure(
    model: nn.Module,
    layers: Sequence[str],
    size: Sequence[int],
    unpack: Unpacks,
    samples: int | None = None,
) -> dict[str, MeasuredFields]:
    """The reach of every layer's cells for an input (1, 3, *size) = (1, 3, T, H, W).

    On drawn clips, the same ones every time. A layer that puts out no grid, or that nothing
    reaches, is left out.
    """
    parameter = next(model.parameters())
    if samples is None:
        small = sum(p.numel() for p in model.parameters()) < MANY_PARAMETERS
        samples = SAMPLES_OF_SMALL if small else 1
    sums: dict[str, list[_Sums]] = {}
    ramps = [_ramp(length, axis).to(parameter) for axis, length in enumerate(size)]
    generator = torch.Generator().manual_seed(0)
    for sample in range(samples):
        x = _drawn_input(FIRST_SEED + sample, size).to(parameter)
        noise = DISTURBANCE * torch.randn(x.shape, generator=generator).to(parameter)
        motion = _motion(x, generator) if len(ramps[0]) > 1 else noise
        still = _Kept()
        _run(model, x, layers, unpack, still.take)
        for disturbance, axes in ((motion, (0,)), (noise, (1, 2))):
            plain = _Kept()
            _run(model, x + disturbance, layers, unpack, plain.take)
            for axis in axes:
                # Taken in as they come: every layer of a large network at once is gigabytes.
                ramped = x + ramps[axis] * disturbance
                _run(model, ramped, layers, unpack, _adding(sums, still, plain, axis))
    found = {
        layer: [s.measured_field(size[a]) for a, s in enumerate(axes)]
        for layer, axes in sums.items()
    }
    return {
        layer: (t, y, x)
        for layer, (t, y, x) in found.items()
        if t is not None and y is not None and x is not None
    }


def _motion(x: Tensor, generator: torch.Generator) -> Tensor:
    """A little of the way from each frame of (1, C, T, H, W) to the one before, or from it.

    The first frame goes to the one after it.
    """
    before = torch.cat([x[:, :, 1:2], x[:, :, :-1]], 2)
    signs = torch.randint(0, 2, (1, x.shape[2], BLOCKS, BLOCKS), generator=generator) * 2.0 - 1
    spread = torch.nn.functional.interpolate(signs, x.shape[3:], mode="nearest")
    return DIFFERENCE * spread[:, None].to(x) * (before - x)


class _Kept(dict[str, Tensor]):
    """What layers put out in one pass, by name."""

    def take(self, layer: str, grid: Tensor) -> None:
        self[layer] = grid


def _adding(
    sums: dict[str, list[_Sums]], still: _Kept, plain: _Kept, axis: int
) -> Callable[[str, Tensor], None]:
    def add(layer: str, moved: Tensor) -> None:
        if layer in still and layer in plain:
            axes = sums.setdefault(layer, [_Sums() for _ in range(3)])
            axes[axis].add(plain[layer] - still[layer], moved - still[layer], axis)

    return add


class _Sums:
    """Moments of the squared gradient along one axis, one entry for each cell of the axis."""

    def __init__(self) -> None:
        self._moments: Any = 0.0  # (3, cells)

    def add(self, answer: Tensor, weighted: Tensor, axis: int) -> None:
        """Add answers (N, K, T', H', W') to the disturbance as it is and times the ramp."""
        others = [0, 1, *(dim for dim in (2, 3, 4) if dim != axis + 2)]
        products = (answer * answer, answer * weighted, weighted * weighted)
        self._moments = (
            self._moments
            + torch.stack([p.sum(others, dtype=torch.float64) for p in products]).cpu().numpy()
        )

    def measured_field(self, length: int) -> MeasuredField | None:
        """Back from ramps to samples; None where some cell does not answer."""
        weight, first, second = self._moments
        if not (weight > 0).all():
            return None
        mean = first / weight
        middle, half = (length - 1) / 2, length / 2
        variance = np.maximum(second / weight - mean**2, 0).mean() * half**2
        # Neighbours in the order they are in, even where noise says otherwise.
        centres = np.maximum.accumulate(mean * half + middle) + 1e-6 * np.arange(len(mean))
        return MeasuredField(centres.clip(0, length - 1 + 1e-3), float(np.sqrt(12 * variance)))


def _ramp(length: int, axis: int) -> Tensor:
    """From -1 to 1 along one axis of (T, H, W), to be broadcast over the others."""
    ramp = (torch.arange(length) - (length - 1) / 2) / (length / 2)
    return ramp.reshape([-1 if dim == axis else 1 for dim in range(3)])


def _drawn_input(seed: int, size: Sequence[int]) -> Tensor:
    """A drawn clip (1, 3, T, H, W) of mean 0 and variance 1, as networks are given."""
    num_frames, height, width = size
    frames = draw_clip(seed, num_frames=num_frames, size=max(height, width)).frames
    x = torch.from_numpy(frames[None, :, :height, :width]).permute(0, 4, 1, 2, 3).float()
    return (x - x.mean()) / x.std()


def _run(
    model: nn.Module,
    x: Tensor,
    layers: Sequence[str],
    unpack: Unpacks,
    take: Callable[[str, Tensor], None],
) -> None:
    """Run the network; ``take`` gets each layer's output as a float32 grid (1, K, T', H', W')."""

    def note(layer: str, _module: nn.Module, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None and tensor.ndim in (3, 4, 5):
            grid = for_layer(unpack, layer)(tensor)
            if grid.ndim == 5:
                # A copy: what follows may change the output in place.
                take(layer, grid.detach().float().clone())

    modules = {name: find_module(model, name) for name in layers}
    with forward_hooks(modules, note), frozen_evaluation(model), torch.inference_mode():
        model(x)
