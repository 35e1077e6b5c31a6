"""Which axis of a layer's output is time, height and width: the one that grows with the input's.

The network runs on the meta device, on inputs that are twice as long, high or wide. A network that
refuses such an input, or whose layer has one size for all inputs, tells nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.layers.axes import TIME, has_pixels
from video_cam.layers.hooks import find_module, first_tensor, forward_hooks, frozen_evaluation
from video_cam.layers.layout import Fold
from video_cam.layers.meta_device import run_on_meta
from video_cam.utils.nested import map_tensors

Shapes = dict[str, tuple[int, ...]]


def axes_agree(
    model: nn.Module, x: Any, folds: Mapping[str, Fold]
) -> tuple[dict[str, Fold], set[str]]:
    """The folds whose axes grow with the input's, and the layers with folds that are wrong.

    Args:
        x: an input, in any container; only shapes are used.
        folds: layer -> how its output is thought to fold.

    Returns:
        The confirmed folds, and the names of refuted ones. Others are open.
    """
    plain = _shapes(model, x, [*folds])
    known = {name: fold for name, fold in folds.items() if name in plain}
    confirmed, refuted = dict(known), set()
    for axis in range(3):
        # Of tokens all axes are one; a grid that their module returns beside them is right.
        of_interest = [
            name for name, fold in known.items() if fold.axes != "tokens" and fold.grid[axis] > 1
        ]
        if not of_interest:
            continue
        grown = _shapes(model, _doubled(x, axis), of_interest)
        for name in of_interest:
            changed = _changed(plain[name], grown.get(name, plain[name]))
            if changed == [0] and not known[name].frames:
                # Taken for several clips, as by ``view(-1, ...)``. Height and width tell enough:
                # of a convolution's axes time is then the one that is left.
                if axis:
                    confirmed.pop(name, None)
                continue
            if changed != [_dim(known[name], axis, len(plain[name]))]:
                confirmed.pop(name, None)
                if len(changed) == 1:
                    refuted.add(name)
    return confirmed, refuted


def _dim(fold: Fold, axis: int, ndim: int) -> int:
    """The axis of a layer's output that is an axis of (T, H, W)."""
    if fold.axes == "time":
        return 2
    if fold.frames and axis == 0:
        return 0
    return ndim - 3 + axis - (fold.axes == "last")


def _changed(one: Sequence[int], other: Sequence[int]) -> list[int]:
    if len(one) != len(other):
        return []
    return [dim for dim, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]


def _doubled(x: Any, axis: int) -> Any:
    def doubled(tensor: Tensor) -> Tensor:
        if not has_pixels(tensor) or (axis == 0 and tensor.ndim == 4):
            return tensor
        shape = [*tensor.shape]
        shape[(TIME if axis == 0 else axis - 3)] *= 2
        return torch.empty(shape, dtype=tensor.dtype, device="meta")

    return map_tensors(doubled, x)


def _shapes(model: nn.Module, x: Any, layers: Sequence[str]) -> Shapes:
    """The shapes of the layers' outputs, of those that run before the network fails."""
    found: Shapes = {}

    def hook(name: str, _module: nn.Module, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is not None:
            found[name] = tuple(tensor.shape)

    modules = {name: find_module(model, name) for name in layers}
    # Whatever a forward raises, on shapes alone or on this size, the rest is open.
    with ExitStack() as stack:
        stack.enter_context(suppress(Exception))
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.no_grad())
        stack.enter_context(forward_hooks(modules, hook))
        run_on_meta(model, x)
    return found
