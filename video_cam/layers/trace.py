"""What every module of a network puts out for an input of some size: shapes, in order of finishing.

The network runs on the meta device, where tensors have shapes and no data; one whose forward needs
numbers runs on zeros instead.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError, first_line
from video_cam.layers.axes import run
from video_cam.layers.cache import Fact, learned
from video_cam.layers.hooks import first_tensor, forward_hooks, frozen_evaluation, on_meta
from video_cam.layers.outputs import class_scores
from video_cam.utils.nested import map_tensors, tensors_in


@dataclass
class Seen:
    """What one module put out: the shape of its first tensor, and how often it ran.

    grid: the (T', H', W') that it names beside its tokens, as MViT's blocks do. kind: its class.
    leaf: it has no sub-modules.
    """

    name: str
    kind: type[nn.Module]
    shape: tuple[int, ...]
    grid: tuple[int, int, int] | None = None
    calls: int = 1
    leaf: bool = True


@dataclass(frozen=True)
class Trace:
    """seen: modules by name, in the order in which their last call ended; and the outputs."""

    seen: dict[str, Seen]
    outputs: Any


def input_dtype(model: nn.Module) -> torch.dtype:
    """That of the network's first floating-point parameter."""
    dtypes = (p.dtype for p in model.parameters() if p.is_floating_point())
    return next(dtypes, torch.float32)


def example(model: nn.Module, size: Sequence[int]) -> Tensor:
    """An input (1, 3, T, H, W) without content, to trace a network with."""
    return torch.empty(1, 3, *size, dtype=input_dtype(model))


def trace(model: nn.Module, x: Any, identity: str = "") -> Trace:
    """Run ``model`` on an input like ``x``, once for each input size.

    Args:
        x: a tensor, or tensors in a tuple, list or dict; only shapes and dtypes are used.
        identity: of the network, for what is kept on disk (see ``cache.learned``).

    Raises:
        UsageError: where the network does not run on such an input.
    """
    shapes = [list(tensor.shape) for tensor in tensors_in(x)]
    key = [json.dumps(shapes)]
    return learned(_TRACE, model, key, partial(_trace, model, x), identity)


def _trace(model: nn.Module, x: Any) -> Trace:
    try:
        return _trace_on(model, x, on_shapes=True)
    # Whatever a stranger's forward raises on shapes alone, zeros tell whether it is its own fault.
    except Exception:
        pass
    try:
        return _trace_on(model, x, on_shapes=False)
    except UsageError:
        raise
    except Exception as error:
        shapes = [tuple(tensor.shape) for tensor in tensors_in(x)]
        raise UsageError(
            f"the network does not run on an input of {shapes[0] if shapes else x}: "
            f"{type(error).__name__}: {first_line(error)}; set --num-frames, --size and "
            "--layout-in to what it takes"
        ) from error


def _trace_on(model: nn.Module, x: Any, on_shapes: bool) -> Trace:
    seen: dict[str, Seen] = {}
    with ExitStack() as stack:
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.no_grad())
        modules = {name: module for name, module in model.named_modules() if name}
        stack.enter_context(forward_hooks(modules, partial(_note, seen)))
        if not on_shapes:
            place = next((p.device for p in model.parameters()), torch.device("cpu"))
            zeros = map_tensors(lambda t: torch.zeros(t.shape, dtype=t.dtype, device=place), x)
            return Trace(seen, run(model, zeros))
        empty = map_tensors(lambda t: torch.empty(t.shape, dtype=t.dtype, device="meta"), x)
        called = _Called(model)
        outputs = torch.func.functional_call(called, on_meta(called), (empty,), tie_weights=False)
        return Trace(seen, outputs)


class _Called(nn.Module):
    """Calls a network as ``run`` does, so that functional_call can hand it any input."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.training = network.training
        self.network = network

    def forward(self, x: Any) -> Any:
        return run(self.network, x)


def _note(seen: dict[str, Seen], name: str, module: nn.Module, output: Any) -> None:
    tensor = first_tensor(output)
    if tensor is None or not tensor.is_floating_point():
        return
    items = output if isinstance(output, tuple | list) else [output]
    calls = seen.pop(name).calls + 1 if name in seen else 1
    leaf = next(module.children(), None) is None
    seen[name] = Seen(name, type(module), tuple(tensor.shape), _grid_in(items), calls, leaf)


def _grid_in(items: Sequence[Any]) -> tuple[int, int, int] | None:
    for item in items:
        if isinstance(item, tuple | list) and [type(number) for number in item] == [int] * 3:
            return item[0], item[1], item[2]
    return None


def _to_json(found: Trace) -> Any:
    rows = [[s.name, s.shape, s.grid, s.calls, s.leaf] for s in found.seen.values()]
    return [rows, class_scores(found.outputs).shape]


def _from_json(model: nn.Module, content: Any) -> Trace:
    kinds = {name: type(part) for name, part in model.named_modules()}
    rows, scores = content
    seen = {
        name: Seen(name, kinds[name], tuple(shape), grid and tuple(grid), calls, leaf)
        for name, shape, grid, calls, leaf in rows
    }
    return Trace(seen, torch.empty(scores, device="meta"))


_TRACE = Fact("trace", uses_weights=False, to_json=_to_json, from_json=_from_json)
