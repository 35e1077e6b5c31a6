"""Axes of network inputs and of layer outputs, and the call of a network on its input."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.network_state import left_as_found
from video_cam.utils.nested import map_tensors, tensors_in

TIME = 2  # the axis of the frames in an input (N, C, T, H, W)

Unpack = Callable[[Tensor], Tensor]
Unpacks = Unpack | Mapping[str, Unpack]  # one function for all layers, or one per layer name


def to_grid(output: Tensor) -> Tensor:
    """A layer's output as (N, K, T', H', W').

    Args:
        output: (N, K, T', H', W'), returned unchanged, or (N, K, H', W'), which becomes T' = 1.

    Raises:
        UsageError: for any other number of axes.
    """
    if output.ndim == 4:
        return output.unsqueeze(2)
    if output.ndim == 5:
        return output
    raise UsageError(
        f"a layer's output has shape {tuple(output.shape)}, expected (N, K, T, H, W) or "
        "(N, K, H, W): choose another layer, or give unpack="
    )


def for_layer(unpack: Unpacks, layer: str) -> Unpack:
    """The layer's entry where ``unpack`` is a table, else the one function for all layers."""
    if not isinstance(unpack, Mapping):
        return unpack
    if layer not in unpack:
        raise UsageError(f"unpack= has no entry for layer {layer!r}: add one")
    return unpack[layer]


def unpacked(unpack: Unpacks, tensor: Tensor, layer: str) -> Tensor:
    """A layer's output, or its gradient, brought to (N, K, T', H', W') by ``unpack``.

    Raises:
        UsageError: where ``unpack`` has no entry for the layer or does not return five axes.
    """
    if for_layer(unpack, layer) is to_grid and tensor.ndim not in (4, 5):
        raise UsageError(
            f"the output of layer {layer!r} is {tuple(tensor.shape)}, expected (N, K, T, H, W) or "
            "(N, K, H, W): choose another layer, or give unpack="
        )
    grid = for_layer(unpack, layer)(tensor)
    if grid.ndim != 5:
        raise UsageError(
            f"unpack made {tuple(grid.shape)} of layer {layer!r}, expected (N, K, T, H, W)"
        )
    return grid


def input_size(x: Any) -> tuple[int, int, int]:
    """(T, H, W) of the network's input; of several input tensors, the one with the most frames.

    Args:
        x: tensors (N, C, T, H, W) or (N, C, H, W), in any container.

    Raises:
        UsageError: for tensors with other axes, or none at all.
    """
    sizes = [(*[1] * (5 - t.ndim), *t.shape[2:]) for t in tensors_in(x)]
    if not sizes or any(len(size) != 3 for size in sizes):
        raise UsageError("the input must be (N, C, T, H, W) or (N, C, H, W) tensors")
    return max(sizes)


def has_pixels(x: Tensor) -> bool:
    """Whether an input tensor is a clip or images, and not a mask or numbers beside them."""
    return x.is_floating_point() and x.ndim in (4, 5)


def detached(x: Any) -> Any:
    """The tensors of ``x`` without their graphs, in new containers.

    New containers, because some networks overwrite the list that they are given.
    """
    # A tensor made in inference mode cannot be saved for a backward pass, but its clone can.
    return map_tensors(lambda t: t.clone() if t.is_inference() else t.detach(), x)


def beside_network(x: Any, network: nn.Module, given: Any) -> Any:
    """The input on the network's device, where wrappers for several devices bring it.

    Args:
        x: tensors in any containers.
        network: without its wrapper.
        given: with its wrapper, where it has one.

    Raises:
        UsageError: where it is elsewhere and the network was given without such a wrapper.
    """
    devices = {tensor.device for tensor in chain(network.parameters(), network.buffers())}
    elsewhere = {one.device for one in tensors_in(x) if one.ndim} - devices
    # Networks on several devices, and those with hooks of accelerate, move their inputs.
    moves = len(devices) != 1 or any(hasattr(module, "_hf_hook") for module in network.modules())
    if moves or not elsewhere:
        return x
    [device] = devices
    if isinstance(given, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return map_tensors(lambda tensor: tensor.to(device), x)
    raise UsageError(
        f"the input is on {min(map(str, elsewhere))} and the network on {device}: move one to the "
        "other's device"
    )


def run_network(model: nn.Module, x: Any) -> Any:
    """``model(x)``; ``model(*x)`` or ``model(**x)`` where ``x`` holds the forward's arguments.

    That is a tuple where the forward needs more than one, and a dict whose keys are its parameters.
    What the network keeps at the pass is forgotten, so that the next one begins as this one did.
    """
    with left_as_found(model):
        if isinstance(x, Mapping) and _are_parameters(model, x):
            return model(**x)
        if isinstance(x, tuple) and not hasattr(x, "_fields") and _needs_several(model):
            return model(*x)
        return model(x)


def _needs_several(model: nn.Module) -> bool:
    """Whether the forward needs more than one argument, or takes any number of them."""
    if isinstance(model, torch.jit.ScriptModule):  # its signature does not say
        return False
    parameters = inspect.signature(model.forward).parameters.values()
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.kind in by_position and p.default is p.empty]
    return len(needed) > 1 or any(p.kind is p.VAR_POSITIONAL for p in parameters)


def _are_parameters(model: nn.Module, x: Mapping[Any, Any]) -> bool:
    parameters = inspect.signature(model.forward).parameters.values()
    takes_any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = {p.name for p in parameters}
    return all(isinstance(key, str) and (takes_any_name or key in names) for key in x)
