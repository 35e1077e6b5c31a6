"""The output shapes of every module of a network for one input size, in the order of execution.

The network runs on the meta device, where tensors have shapes but no data; a network whose forward
needs values runs on zeros instead.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor, nn

from video_cam.errors import DoesNotFit, UsageError, first_line
from video_cam.layers.axes import run_network
from video_cam.layers.cache import Fact, learned
from video_cam.layers.hooks import first_tensor, forward_hooks, frozen_evaluation
from video_cam.layers.meta_device import run_on_meta
from video_cam.layers.outputs import class_scores
from video_cam.utils.memory import is_out_of_memory
from video_cam.utils.nested import map_tensors, tensors_in
from video_cam.utils.strict_json import checked


@dataclass
class ModuleOutput:
    """The output of one module in the traced pass.

    Attributes:
        name: of the module.
        kind: class of the module.
        shape: of the first tensor in its output.
        grid: (T', H', W') where the module returns it beside its tokens, as MViT's blocks do.
        calls: how often the module ran.
        leaf: whether it has no sub-modules.
    """

    name: str
    kind: type[nn.Module]
    shape: tuple[int, ...]
    grid: tuple[int, int, int] | None = None
    calls: int = 1
    leaf: bool = True


@dataclass(frozen=True)
class Trace:
    """The output shapes of one forward pass.

    Attributes:
        modules: by name, in the order in which their last calls ended.
        outputs: the network's outputs, without meaningful values.
    """

    modules: dict[str, ModuleOutput]
    outputs: Any


def input_dtype(model: nn.Module) -> torch.dtype:
    """The dtype of the network's first floating-point parameter; float32 if it has none."""
    dtypes = (p.dtype for p in model.parameters() if p.is_floating_point())
    return next(dtypes, torch.float32)


def example(model: nn.Module, size: Sequence[int]) -> Tensor:
    """An uninitialised input (1, 3, T, H, W) of size (T, H, W), to trace a network with."""
    return torch.empty(1, 3, *size, dtype=input_dtype(model))


def trace(model: nn.Module, x: Any, identity: str = "") -> Trace:
    """Output shapes of all modules of ``model`` for an input like ``x``; cached by input shape.

    Args:
        x: a tensor, or tensors in a tuple, list or dict; only shapes and dtypes are used.
        identity: of the network, for the cache on disk (see ``cache.learned``).

    Raises:
        UsageError: where the network does not run on such an input.
    """
    shapes = [list(tensor.shape) for tensor in tensors_in(x)]
    key = [json.dumps(shapes)]
    return learned(_TRACE, model, key, partial(_trace, model, x), identity)


def _trace(model: nn.Module, x: Any) -> Trace:
    try:
        return _trace_on(model, x, on_shapes=True)
    # Some networks fail on shapes alone; the run on zeros tells whether the input is at fault.
    except Exception:
        pass
    try:
        return _trace_on(model, x, on_shapes=False)
    except UsageError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        shapes = [tuple(tensor.shape) for tensor in tensors_in(x)]
        raise DoesNotFit(
            f"the network does not run on an input of {shapes[0] if shapes else x}: "
            f"{type(error).__name__}: {first_line(error)}; set --num-frames, --size and "
            "--layout-in to what it takes"
        ) from error


def _trace_on(model: nn.Module, x: Any, on_shapes: bool) -> Trace:
    found: dict[str, ModuleOutput] = {}
    with ExitStack() as stack:
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.no_grad())
        modules = {name: module for name, module in model.named_modules() if name}
        stack.enter_context(forward_hooks(modules, partial(_add_output, found)))
        if not on_shapes:
            device = next((p.device for p in model.parameters()), torch.device("cpu"))
            zeros = map_tensors(lambda t: torch.zeros(t.shape, dtype=t.dtype, device=device), x)
            return Trace(found, run_network(model, zeros))
        return Trace(found, run_on_meta(model, x))


def _add_output(found: dict[str, ModuleOutput], name: str, module: nn.Module, output: Any) -> None:
    tensor = first_tensor(output)
    if tensor is None or not tensor.is_floating_point():
        return
    items = output if isinstance(output, tuple | list) else [output]
    calls = found.pop(name).calls + 1 if name in found else 1  # the last call decides the order
    leaf = next(module.children(), None) is None
    found[name] = ModuleOutput(
        name, type(module), tuple(tensor.shape), _grid_in(items), calls, leaf
    )


def _grid_in(items: Sequence[Any]) -> tuple[int, int, int] | None:
    """Three whole numbers among a module's outputs."""
    for item in items:
        if isinstance(item, tuple | list) and [type(number) for number in item] == [int] * 3:
            return item[0], item[1], item[2]
    return None


def _to_json(found: Trace) -> Any:
    rows = [[m.name, m.shape, m.grid, m.calls, m.leaf] for m in found.modules.values()]
    return [rows, class_scores(found.outputs).shape]


def _from_json(model: nn.Module, content: Any) -> Trace:
    """The inverse of ``_to_json``. Raises ValueError for what is not of this network."""
    parts = dict(model.named_modules())
    rows, scores_shape = checked(content, tuple[tuple[_Row, ...], _Shape])
    modules = {}
    for name, shape, grid, calls, leaf in rows:
        if not name or name not in parts or name in modules:
            raise ValueError(f"it has a module {name!r}, and the network has not")
        if leaf == bool(list(parts[name].children())):
            raise ValueError(f"it has other parts in {name!r}")
        modules[name] = ModuleOutput(name, type(parts[name]), shape, grid, calls, leaf)
    return Trace(modules, torch.empty(scores_shape, device="meta"))


_Length = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
_Shape = Annotated[tuple[_Length, ...], msgspec.Meta(max_length=8)]
# As in JSON: name, shape, grid, calls and leaf of a ModuleOutput.
_Row = tuple[str, _Shape, tuple[_Count, _Count, _Count] | None, _Count, bool]
_TRACE = Fact("trace", uses_weights=False, to_json=_to_json, from_json=_from_json)
