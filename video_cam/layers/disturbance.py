"""Disturb a network's input, and measure where in the input the cells of its layers look.

With J the derivative of a cell with respect to the input, v white noise and r a ramp from -1 to 1
along one axis of the input,

    E+ = |J sqrt((1 + r) / 2) v|^2,   E- = |J sqrt((1 - r) / 2) v|^2,   c = (E+ - E-) / (E+ + E-)

c is the mean of r over what the cell looks at, weighted by its squared gradient: the place of the
cell along the axis, between -1 and 1. For a cell that looks at a small part of the input c is exact
for any noise. Two forward passes give c for all cells of all layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from video_cam.layers.axes import TIME, has_pixels, run_network
from video_cam.layers.hooks import find_module, first_tensor, forward_hooks, frozen_evaluation
from video_cam.layers.layout import Fold
from video_cam.layers.pathways import frame_positions
from video_cam.utils.nested import map_tensors, tensors_in

NOISE = 0.1  # of the input's standard deviation
# Channels of an output that are looked at; more of them would change little.
MAX_CHANNELS = 64
AXES = ("time", "height", "width")


class CellAnswers:
    """How strongly the cells of one layer answer, summed over channels and noises."""

    def __init__(self, folds: Sequence[Fold]) -> None:
        """Collect answers for these ways to fold the layer's output."""
        self.folds = tuple(folds)
        self._base: Tensor | None = None
        self._energies: dict[tuple[Fold, int, int], np.ndarray] = {}

    def start(self, output: Tensor) -> None:
        """Take the output for the input that is not disturbed."""
        self._base = self._some_channels(output).clone()

    def add(self, axis: int, sign: int, output: Tensor) -> None:
        """Add the output for noise that rises (sign 1) or falls (-1) along an axis."""
        if self._base is None:
            return
        change = (self._some_channels(output) - self._base).float().square()
        if not bool(change.isfinite().all()):
            return
        sums = {dim: change.sum(dim, keepdim=True) for dim in {map_dim(f) for f in self.folds}}
        for fold in self.folds:
            energy = fold(sums[map_dim(fold)]).sum((0, 1)).double().cpu().numpy()
            key = fold, axis, sign
            self._energies[key] = self._energies.get(key, 0.0) + energy

    def places(self, fold: Fold, axis: int) -> np.ndarray:
        """c of every cell along an axis, float64 (T', H', W'); NaN for cells without an answer."""
        after = self._energies.get((fold, axis, 1), np.zeros(fold.grid))
        before = self._energies.get((fold, axis, -1), np.zeros(fold.grid))
        with np.errstate(invalid="ignore"):
            return (after - before) / (after + before)

    def centres(self, fold: Fold, axis: int, length: int) -> np.ndarray | None:
        """The places of the cells along an axis of ``length``, means over the other axes.

        Returns:
            float64 (cells,), in input samples, rising; None where a cell does not answer.
        """
        others = tuple(other for other in range(3) if other != axis)
        after, before = (
            np.asarray(self._energies.get((fold, axis, sign), np.zeros(fold.grid))).sum(others)
            for sign in (1, -1)
        )
        if not (after + before > 0).all():
            return None
        places = (after - before) / (after + before)
        centres = np.maximum.accumulate((places + 1) / 2 * length - 0.5)
        return centres + 1e-6 * np.arange(len(centres))

    def _some_channels(self, output: Tensor) -> Tensor:
        dims = {map_dim(fold) for fold in self.folds}
        if len(dims) > 1:
            return output
        [dim] = dims
        channels = output.shape[dim]
        if channels <= MAX_CHANNELS:
            return output
        some = torch.linspace(0, channels - 1, MAX_CHANNELS, device=output.device).long()
        return output.index_select(dim, some)


def map_dim(fold: Fold) -> int:
    """The axis of a layer's output that holds its channels."""
    return 1 if fold.axes in ("first", "time") else -1


def add_answers(
    model: nn.Module,
    x: Any,
    axes: Sequence[int],
    answers: dict[str, CellAnswers],
    generator: torch.Generator,
) -> None:
    """Add the answers of layers to one noise.

    Args:
        x: the network's input, in any container; its floating-point tensors with pixels are
            disturbed.
        axes: of (T, H, W), those along which places are wanted.
        answers: by layer; changed.
        generator: of the noise.
    """
    _run(model, [*answers], x, lambda name, output: answers[name].start(output))
    tensors = [*tensors_in(x)]
    noise = [_noise(tensor, generator) for tensor in tensors]
    positions = frame_positions(tensors)
    for axis in axes:
        for sign in (1, -1):
            add = partial(_add, answers, axis, sign)
            _run(model, [*answers], _disturbed(x, noise, positions, axis, sign), add)


def _add(answers: dict[str, CellAnswers], axis: int, sign: int, name: str, output: Tensor) -> None:
    answers[name].add(axis, sign, output)


def _run(
    model: nn.Module, layers: Sequence[str], x: Any, on_output: Callable[[str, Tensor], None]
) -> None:
    def hook(name: str, _module: nn.Module, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None and tensor.is_floating_point():
            on_output(name, tensor)

    modules = {name: find_module(model, name) for name in layers}
    with forward_hooks(modules, hook), frozen_evaluation(model), torch.inference_mode():
        # In new containers, because some networks change the one that they are given.
        run_network(model, map_tensors(torch.clone, x))


def _noise(x: Tensor, generator: torch.Generator) -> Tensor:
    if not has_pixels(x):
        return x
    spread = float(x.float().std()) or 1.0
    return NOISE * spread * torch.randn(x.shape, generator=generator).to(x)


def _disturbed(
    x: Any, noise: Sequence[Tensor], positions: Sequence[Tensor], axis: int, sign: int
) -> Any:
    numbers = count()
    frames = max(len(one) for one in positions) if positions else 0

    def disturbed(tensor: Tensor) -> Tensor:
        number = next(numbers)
        if not has_pixels(tensor):
            return tensor
        ramp = (2 * positions[number] + 1) / max(frames, 1) - 1
        return tensor + noise[number] * _share(tensor, axis, sign, ramp)

    return map_tensors(disturbed, x)


def _share(x: Tensor, axis: int, sign: int, ramp_in_time: Tensor) -> Tensor:
    """sqrt((1 + sign r) / 2), with r the ramp along an axis of (T, H, W); broadcasts against x."""
    dim = (TIME if x.ndim == 5 else None, -2, -1)[axis]
    if dim is None:  # images have no time: half of the noise each time
        return torch.full((1,), 0.5).sqrt().to(x)
    length = x.shape[dim]
    ramp = (2 * torch.arange(length) + 1) / length - 1 if axis else ramp_in_time
    shape = [1] * x.ndim
    shape[dim] = length
    return ((1 + sign * ramp) / 2).sqrt().reshape(shape).to(x)
