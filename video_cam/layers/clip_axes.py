"""Which axis of a network's input is time, and a network that takes every clip channels first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.adapted_forward import with_forward
from video_cam.layers.axes import has_pixels
from video_cam.layers.cache import Fact, learned
from video_cam.layers.hooks import find_module, frozen_evaluation
from video_cam.layers.meta_device import run_on_meta
from video_cam.layers.trace import trace
from video_cam.utils.nested import map_tensors, tensors_in

# An attribute of networks that are known to take (N, C, T, H, W).
CHANNELS_FIRST = "takes_channels_first"

_adapted: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()


def channels_first(model: nn.Module, x: Any) -> tuple[nn.Module, Any]:
    """A network, and its input, with clips as (N, C, T, H, W).

    Args:
        model: the network.
        x: its input; clips in it may be (N, C, T, H, W) or (N, T, C, H, W).

    Returns:
        Both unchanged where clips are (N, C, T, H, W) already. Else a network that shares the
        layers of ``model``, the same one in every call, and the input in that order.
    """
    if not takes_time_first(model, x):
        return model, x
    fresh = with_forward(model, "ChannelsFirst", _run_time_first)
    known = _adapted.setdefault(model, fresh)
    # The same object in every call, because what is known of a network is kept under it; with the
    # attributes that the network has now.
    if known is not fresh:
        known.__class__ = type(fresh)
        vars(known).clear()
        vars(known).update(vars(fresh))
    return known, _swapped(x)


def takes_time_first(model: nn.Module, x: Any) -> bool:
    """Whether clips in the input ``x`` are (N, T, C, H, W), and not (N, C, T, H, W).

    The channels are the axis that the first convolution takes. Where both axes are as long as
    that, or neither, the axis that cannot be longer on shapes alone. Where that is not clear
    either, (N, T, C, H, W) are clips of more than four frames with three channels.
    """
    clips = [tensor for tensor in tensors_in(x) if tensor.ndim == 5 and has_pixels(tensor)]
    if not clips or getattr(model, CHANNELS_FIRST, False):
        return False
    key = [str([tuple(tensor.shape) for tensor in tensors_in(x)])]
    return learned(_TIME_FIRST, model, key, partial(_find, model, x, clips))


def _find(model: nn.Module, x: Any, clips: Sequence[Tensor]) -> bool:
    channels = _channels_of_first_convolution(model, x)
    first, second = ({tensor.shape[axis] for tensor in clips} == {channels} for axis in (1, 2))
    if first != second:
        return second
    first_grows, second_grows = (_runs(model, _longer(x, axis)) for axis in (1, 2))
    if first_grows != second_grows:
        return first_grows
    return all(tensor.shape[2] == 3 and tensor.shape[1] > 4 for tensor in clips)


def _channels_of_first_convolution(model: nn.Module, x: Any) -> int | None:
    """The channels that the first convolution takes; None without one, and where it cannot run."""
    try:
        modules = trace(model, map_tensors(lambda tensor: tensor[:1], x)).modules
    except UsageError:  # the forward pass on the input itself gives a better message
        return None
    for name in modules:
        module = find_module(model, name)
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            return module.in_channels
    return None


def _runs(model: nn.Module, x: Any) -> bool:
    try:
        with torch.no_grad(), frozen_evaluation(model):
            run_on_meta(model, x)
    # The network's own code may raise anything on another shape.
    except Exception:
        return False
    return True


def _longer(x: Any, axis: int) -> Any:
    """Shapes of the first sample, with twice as much along an axis of its clips."""

    def longer(tensor: Tensor) -> Tensor:
        shape = [min(len(tensor), 1), *tensor.shape[1:]] if tensor.ndim else []
        if tensor.ndim == 5 and has_pixels(tensor):
            shape[axis] *= 2
        return torch.empty(shape, dtype=tensor.dtype, device="meta")

    return map_tensors(longer, x)


def _swapped(x: Any) -> Any:
    """The input with the axes 1 and 2 of its clips exchanged, contiguous as a loader gives it."""
    return map_tensors(
        lambda t: t.transpose(1, 2).contiguous() if t.ndim == 5 and has_pixels(t) else t, x
    )


def _run_time_first(forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    return forward(*_swapped(inputs), **_swapped(named))


_TIME_FIRST: Fact[bool] = Fact(
    "time-first",
    uses_weights=False,
    to_json=lambda found: found,  # kept in memory only
    from_json=lambda model, content: bool(content),
)
