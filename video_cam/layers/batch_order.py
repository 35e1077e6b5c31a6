"""In which order a layer holds the frames of several clips that are samples of one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.axes import run_network
from video_cam.layers.hooks import find_module, first_tensor, forward_hooks, frozen_evaluation
from video_cam.utils.nested import map_tensors, tensors_in

SAME = 1e-3  # kernels for other batch sizes round differently

Rows = dict[str, list[Tensor]]  # module -> for every pass one number for each row of its output


def rows_recorded(modules: Mapping[str, nn.Module], rows: Rows) -> AbstractContextManager[None]:
    """Inside the block every pass adds to ``rows`` numbers by which rows are recognised."""
    return forward_hooks(modules, partial(_add_rows, rows))


def _add_rows(rows: Rows, name: str, _module: nn.Module, output: Any) -> None:
    tensor = first_tensor(output)
    if tensor is not None and tensor.ndim > 1 and tensor.is_floating_point():
        rows.setdefault(name, []).append(tensor.detach().float().flatten(1).square().mean(1))


def is_time_first(rows: Sequence[Tensor], clips: int) -> bool:
    """Whether frames are (T x N, ...): those of one clip are every N-th row, not the first T.

    Args:
        rows: of the first clip alone, and of all clips.
        clips: N.
    """
    if len(rows) != 2 or len(rows[0]) < 2 or len(rows[1]) != clips * len(rows[0]):
        return False
    alone, beside = rows
    close = partial(torch.allclose, rtol=SAME, atol=float(alone.abs().max()) * 1e-6)
    return not close(beside[: len(alone)], alone) and close(beside[::clips], alone)


def time_first(model: nn.Module, x: Any, sample: Any, layers: Sequence[str]) -> list[str]:
    """The layers that hold the frames of several clips as (T x N, ...).

    Args:
        x: the network's input, of N clips.
        sample: its first clip.
        layers: module names.
    """
    clips = len(next(tensors_in(x)))
    if clips == 1 or not layers:
        return []
    rows: Rows = {}
    modules = {name: find_module(model, name) for name in layers}
    with (
        # Some networks take only the caller's batch; nothing is known of their rows then.
        suppress(Exception),
        rows_recorded(modules, rows),
        frozen_evaluation(model),
        torch.no_grad(),
    ):
        for given in (sample, x):
            run_network(model, map_tensors(torch.clone, given))
    return [name for name in layers if is_time_first(rows.get(name, []), clips)]


def refuse_time_first(model: nn.Module, x: Any, sample: Any, layers: Sequence[str]) -> None:
    """Raise UsageError for a layer that holds the frames of several clips as (T x N, ...)."""
    for name in time_first(model, x, sample, layers):
        raise UsageError(
            f"layer {name!r} holds the frames of {len(next(tensors_in(x)))} clips time first, "
            "(T x N, ...): give one clip at a time"
        )
