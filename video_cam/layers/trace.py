"""What every module of a network puts out for an input of some size: shapes, in order of finishing.

The network runs on the meta device, where tensors have shapes and no data; one whose forward needs
numbers runs on zeros instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.axes import run
from video_cam.layers.hooks import frozen_evaluation, on_meta
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


def trace(
    model: nn.Module, x: Any, remember: Callable[[Callable[[], Trace]], Trace] | None = None
) -> Trace:
    """Run ``model`` on an input like ``x`` (a tensor, or tensors in a tuple, list or dict).

    A network is run once for each input size, unless its modules are exchanged. remember: is asked
    before it is run, with how to run it.
    """
    known = _KNOWN.setdefault(model, {})
    shapes = tuple(tuple(tensor.shape) for tensor in tensors_in(x))
    key = (shapes, tuple(map(id, model.modules())))
    if key not in known:
        run = partial(_trace, model, x)
        known[key] = run() if remember is None else remember(run)
    return known[key]


_KNOWN: WeakKeyDictionary[nn.Module, dict[Any, Trace]] = WeakKeyDictionary()


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
            f"{type(error).__name__}: {_first_line(error)}; set --num-frames, --size and "
            "--layout-in to what it takes"
        ) from error


def _trace_on(model: nn.Module, x: Any, on_shapes: bool) -> Trace:
    seen: dict[str, Seen] = {}
    with ExitStack() as stack:
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.no_grad())
        for name, module in model.named_modules():
            if name:
                handle = module.register_forward_hook(_noting(name, seen))
                stack.callback(handle.remove)
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


def _noting(name: str, seen: dict[str, Seen]) -> Any:
    def hook(module: nn.Module, _arguments: Any, output: Any) -> None:
        # What capture takes for the layer's output: a tensor, or the first one of a tuple.
        items = output if isinstance(output, tuple | list) else [output]
        tensor = next((item for item in items if isinstance(item, Tensor)), None)
        if tensor is None or not tensor.is_floating_point():
            return
        calls = seen.pop(name).calls + 1 if name in seen else 1
        leaf = next(module.children(), None) is None
        seen[name] = Seen(name, type(module), tuple(tensor.shape), _grid_in(items), calls, leaf)

    return hook


def _grid_in(items: Sequence[Any]) -> tuple[int, int, int] | None:
    for item in items:
        if isinstance(item, tuple | list) and [type(number) for number in item] == [int] * 3:
            return item[0], item[1], item[2]
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
