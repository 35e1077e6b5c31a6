"""The axes of inputs and of layers' outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from video_cam.errors import UsageError

Unpack = Callable[[Tensor], Tensor]


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


def unpacked(unpack: Unpack, tensor: Tensor, layer: str) -> Tensor:
    """``unpack(tensor)``, or a UsageError where that is not (N, K, T', H', W')."""
    grid = unpack(tensor)
    if grid.ndim != 5:
        raise UsageError(
            f"unpack made {tuple(grid.shape)} of layer {layer!r}, expected (N, K, T, H, W)"
        )
    return grid


def input_size(x: Any) -> tuple[int, int, int]:
    """(T, H, W) of the network's input; of several inputs, that of the one with most frames."""
    tensors = [x] if isinstance(x, Tensor) else [item for item in x if isinstance(item, Tensor)]
    sizes = [(*[1] * (5 - tensor.ndim), *tensor.shape[2:]) for tensor in tensors]
    if not sizes or any(len(size) != 3 for size in sizes):
        raise UsageError("the input must be (N, C, T, H, W) or (N, C, H, W) tensors")
    return max(sizes)


def detached(x: Any) -> Any:
    """The caller's tensors without their graph, packed afresh: some networks change the list."""
    if isinstance(x, Tensor):
        # A tensor made in inference mode cannot be saved for backward; its clone can.
        return x.clone() if x.is_inference() else x.detach()
    if isinstance(x, (tuple, list)):
        return type(x)(detached(item) for item in x)
    return x
