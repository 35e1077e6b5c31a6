"""Run a network on shapes alone: on the meta device, where tensors have no data."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from video_cam.layers.axes import run_network
from video_cam.utils.nested import map_tensors

Result = TypeVar("Result")


def run_on_meta(model: nn.Module, x: Any) -> Any:
    """The network's outputs for an input like ``x``, of which only shapes and dtypes are used."""
    return call_on_meta(model, run_network, shapes_alone(x))


def shapes_alone(x: Any) -> Any:
    """``x`` with tensors of the same shapes, dtypes and flags on the meta device."""

    def empty(t: Tensor) -> Tensor:
        return torch.empty(t.shape, dtype=t.dtype, device="meta", requires_grad=t.requires_grad)

    return map_tensors(empty, x)


def call_on_meta(model: nn.Module, function: Callable[[nn.Module, Any], Result], x: Any) -> Result:
    """``function(model, x)`` with all parameters and buffers on the meta device."""
    wrapper = _Wrapper(model, function)
    return torch.func.functional_call(wrapper, _on_meta(wrapper), (x,), tie_weights=False)


def _on_meta(model: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers on the meta device, as replacements for ``functional_call``.

    A module with two names is in it once, and ``tie_weights`` must be False: with both names
    functional_call would save the replacement as the original, and restore that.
    """
    return {
        f"{prefix}.{name}".lstrip("."): tensor.detach().to("meta")
        for prefix, module in model.named_modules()
        for name, tensor in chain(
            module.named_parameters(recurse=False, remove_duplicate=False),
            module.named_buffers(recurse=False, remove_duplicate=False),
        )
    }


class _Wrapper(nn.Module):
    """Calls a function with a network, so that functional_call can give it any input."""

    def __init__(self, network: nn.Module, function: Callable[[nn.Module, Any], Any]) -> None:
        super().__init__()
        self.training = network.training
        self.network, self.function = network, function

    def forward(self, x: Any) -> Any:
        return self.function(self.network, x)
