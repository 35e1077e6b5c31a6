"""How much memory one forward pass takes, found by running the network on shapes alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from video_cam.layers.axes import run_network
from video_cam.layers.cache import Fact, learned
from video_cam.layers.hooks import capture
from video_cam.layers.meta_device import call_on_meta, shapes_alone
from video_cam.utils.nested import map_tensors, tensors_in
from video_cam.utils.strict_json import checked


def pass_bytes(model: nn.Module, x: Any, layers: Sequence[str], identity: str = "") -> int | None:
    """The most bytes that the tensors of one forward pass take at a time.

    Weights and input are left out. What the backward pass to ``layers`` needs is kept, as in a pass
    that computes maps. Kernels and the backward pass take memory of their own besides: on a CPU
    the whole was 0.8 to 2.0 times this number, in networks of torchvision.

    Args:
        x: a tensor, or tensors in a tuple, list or dict; only shapes and dtypes are used, and
            whether gradients at the input are wanted.
        layers: names of the modules whose gradients are wanted; none for a pass without gradients.
        identity: of the network, for the cache on disk (see ``cache.learned``).

    Returns:
        None where the network does not run on shapes alone.
    """
    shapes = [list(tensor.shape) for tensor in tensors_in(x)]
    to_input = any(tensor.requires_grad for tensor in tensors_in(x))
    key = [json.dumps([shapes, sorted(layers), *(["input"] if to_input else [])])]
    return learned(_PASS_BYTES, model, key, partial(_pass_bytes, model, x, layers), identity)


def _pass_bytes(model: nn.Module, x: Any, layers: Sequence[str]) -> int | None:
    memory = _LiveMemory()

    def watched(network: nn.Module, empty: Any) -> None:
        with memory:
            run_network(network, map_tensors(_as_input, empty))

    try:
        with capture(model, layers), torch.set_grad_enabled(bool(layers)):
            call_on_meta(model, watched, shapes_alone(x))
    # A network may do anything with values that it does not have here.
    except Exception:
        return None
    return memory.peak


def _as_input(x: Tensor) -> Tensor:
    """A clone of a leaf of the graph: the network may begin with an in-place operation."""
    return x.clone() if x.requires_grad else x


class _LiveMemory(TorchDispatchMode):
    """Adds up the memory of the tensors that exist at the same time inside the block.

    Attributes:
        peak: the largest sum, in bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in tensors_in(output):
            self._add(tensor)
        return output

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:  # a view
            return
        self._alive.add(key)
        self._now += size
        self.peak = max(self.peak, self._now)
        finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self._now -= size


def _from_json(_model: nn.Module, content: Any) -> int | None:
    return None if content is None else checked(content, int)


_PASS_BYTES = Fact("pass_bytes", uses_weights=False, to_json=lambda n: n, from_json=_from_json)
