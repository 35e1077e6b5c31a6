"""Tests of a network's scores on noise: which axis is time, and whether they are probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.layers.axes import TIME, run_network
from video_cam.layers.hooks import frozen_evaluation
from video_cam.layers.output_entries import Path, entry_at
from video_cam.utils.nested import map_tensors

_NOISE_INPUTS = 3  # for which probabilities sum to 1
_ROUNDING = 1e-3  # bfloat16 and float16 are added up in float32


def sum_to_one(model: nn.Module, x: Any, path: Path, class_axis: int | None) -> bool:
    """Whether the scores are between 0 and 1 and sum to 1 over the classes, for several inputs.

    Args:
        x: one sample, as the forward takes it; only shapes and dtypes are used.
        path: the way to the scores in the outputs.
        class_axis: of the scores; None for scores of one class, which are none.
    """
    if class_axis is None:
        return False
    with _without_graph(model):
        for seed in range(_NOISE_INPUTS):
            scores = entry_at(run_network(model, _noise(model, x, seed)), path)
            total = scores.float().sum(class_axis)
            if (
                scores.shape[class_axis] < 2
                or scores.min() < 0
                or (total - 1).abs().max() > _ROUNDING
            ):
                return False
    return True


def time_is_second_by_a_frame(model: nn.Module, x: Any, path: Path) -> bool | None:
    """Whether scores (N, a, b) are (N, T, classes); False for (N, classes, T); None where unknown.

    A change of the last frame leaves the scores of earlier times as they are in networks that look
    at a part of the clip for each of them.
    """
    first = _noise(model, x, 0)
    with _without_graph(model):
        scores, changed = (
            entry_at(run_network(model, map_tensors(function, first)), path)
            for function in (torch.clone, _with_other_last_frame)
        )
    same = scores == changed
    unchanged = [bool(same.all(dim=0).all(dim=axis).any()) for axis in (1, 0)]
    return unchanged[0] if unchanged[0] != unchanged[1] else None


@contextmanager
def _without_graph(model: nn.Module) -> Iterator[None]:
    with torch.no_grad(), frozen_evaluation(model):
        yield


def _noise(model: nn.Module, x: Any, seed: int) -> Any:
    """An input like ``x``, of normal noise on the network's device."""
    generator = torch.Generator().manual_seed(seed)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))

    def noise(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)
        return torch.randn(tensor.shape, generator=generator).to(device, tensor.dtype)

    return map_tensors(noise, x)


def _with_other_last_frame(tensor: Tensor) -> Tensor:
    changed = tensor.clone()
    if tensor.ndim == 5:
        last = changed.select(TIME, -1)
        last.copy_(-last)
    return changed
