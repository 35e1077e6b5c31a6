"""The axes of inputs and of layers' outputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.utils.nested import map_tensors, tensors_in

Unpack = Callable[[Tensor], Tensor]
Unpacks = Unpack | Mapping[str, Unpack]  # one for all layers, or each layer's own


def to_grid(output: Tensor) -> Tensor:
    """A layer's output as (N, K, T', H', W'): four axes are one frame, five stay as they are."""
    if output.ndim == 4:
        return output.unsqueeze(2)
    if output.ndim == 5:
        return output
    raise UsageError(
        f"a layer's output has shape {tuple(output.shape)}, expected (N, K, T, H, W) or "
        "(N, K, H, W): choose another layer, or give unpack="
    )


def for_layer(unpack: Unpacks, layer: str) -> Unpack:
    """The layer's own entry of a table, or the one function for all layers."""
    if not isinstance(unpack, Mapping):
        return unpack
    if layer not in unpack:
        raise UsageError(f"unpack= has no entry for layer {layer!r}: add one")
    return unpack[layer]


def unpacked(unpack: Unpacks, tensor: Tensor, layer: str) -> Tensor:
    """The layer's ``unpack`` of a tensor, or a UsageError where that is not (N, K, T', H', W')."""
    if for_layer(unpack, layer) is to_grid and tensor.ndim not in (4, 5):
        raise UsageError(
            f"layer {layer!r} puts out {tuple(tensor.shape)}, expected (N, K, T, H, W) or "
            "(N, K, H, W): choose another layer, or give unpack="
        )
    grid = for_layer(unpack, layer)(tensor)
    if grid.ndim != 5:
        raise UsageError(
            f"unpack made {tuple(grid.shape)} of layer {layer!r}, expected (N, K, T, H, W)"
        )
    return grid


def input_size(x: Any) -> tuple[int, int, int]:
    """(T, H, W) of the network's input; of several inputs, that of the one with most frames."""
    sizes = [
        (t.shape[1], *t.shape[3:]) if _time_first(t) else (*[1] * (5 - t.ndim), *t.shape[2:])
        for t in tensors_in(x)
    ]
    if not sizes or any(len(size) != 3 for size in sizes):
        raise UsageError("the input must be (N, C, T, H, W) or (N, C, H, W) tensors")
    return max(sizes)


def time_axis(x: Tensor) -> int:
    """Where the frames of a five-axis input are."""
    return 1 if _time_first(x) else 2


def _time_first(x: Tensor) -> bool:
    """(N, T, 3, H, W): three colours where the frames of (N, 3, T, H, W) would be."""
    return x.ndim == 5 and x.shape[2] == 3 and x.shape[1] > 4


def detached(x: Any) -> Any:
    """The caller's tensors without their graph, packed afresh: some networks change the list."""
    # A tensor made in inference mode cannot be saved for backward; its clone can.
    return map_tensors(lambda t: t.clone() if t.is_inference() else t.detach(), x)


def run(model: nn.Module, x: Any) -> Any:
    """``model(x)``; a dict whose keys are names of the forward's parameters is given by name."""
    if isinstance(x, Mapping) and _are_parameters(model, x):
        return model(**x)
    return model(x)


def _are_parameters(model: nn.Module, x: Mapping[Any, Any]) -> bool:
    parameters = inspect.signature(model.forward).parameters.values()
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = {p.name for p in parameters}
    return all(isinstance(key, str) and (takes_any or key in names) for key in x)
