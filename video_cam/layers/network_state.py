"""Leave a network as it was found: its attributes, and the tensors and containers in them.

Networks keep things at a forward pass: tables that are computed at first use, the last frames of a
stream, outputs for a loss. What one pass keeps must not reach the next one, nor the caller: it may
be of another input, on the meta device, or made in inference mode.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import is_
from types import FunctionType, NoneType
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.utils.nested import is_plain

Restore = Callable[[], None]

# Attributes of every module that this project's own context managers change and restore.
_OWN = ("_compiled_call_impl", "training")
# Types of values that hold nothing which changes: most attributes of a network are of them.
_UNCHANGING = {NoneType, bool, int, float, str, FunctionType, torch.Size, torch.dtype, torch.device}


@contextmanager
def left_as_found(model: nn.Module) -> Iterator[None]:
    """Restore a network's attributes at the end of the block, also after an error.

    That is every attribute of its modules, the content of the lists, dicts, sets and deques among
    them, and the values of its buffers and of other tensors in them; not hooks, and not values
    inside its parameters, which no forward pass changes.
    """
    snapshot = _Snapshot()
    for module in model.modules():
        snapshot.add_attributes(module)
    try:
        yield
    finally:
        snapshot.restore()


class _Snapshot:
    """What to do to have everything as it was."""

    def __init__(self) -> None:
        self._restores: list[Restore] = []
        self._seen: dict[int, Any] = {}  # keeps what it has seen alive, so that ids stay unique

    def add_attributes(self, module: nn.Module) -> None:
        attributes = vars(module)
        kept = {name: value for name, value in attributes.items() if _is_state(name)}
        self._restores.append(partial(_restore_attributes, attributes, kept))
        self._add_all(kept.values())

    def restore(self) -> None:
        for restore in self._restores:
            restore()

    def _add_all(self, values: Iterable[Any]) -> None:
        for value in values:
            if type(value) not in _UNCHANGING and id(value) not in self._seen:
                self._add(value)

    def _add(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self._seen[id(value)] = value
            # A tensor on the meta device has no values, but a copy would count as memory.
            if not (isinstance(value, nn.Parameter) or value.is_meta) and is_plain(value):
                self._restores.append(_tensor_restore(value))
        elif isinstance(value, list | dict | set | deque | tuple):
            self._seen[id(value)] = value
            if not isinstance(value, tuple):
                self._restores.append(_container_restore(value))
            self._add_all(value.values() if isinstance(value, dict) else value)


def _is_state(name: str) -> bool:
    return "_hooks" not in name and name not in _OWN


def _restore_attributes(attributes: dict[str, Any], kept: dict[str, Any]) -> None:
    for name in [name for name in attributes if name not in kept and _is_state(name)]:
        del attributes[name]
    for name, value in kept.items():
        if name not in attributes or attributes[name] is not value:
            attributes[name] = value


def _container_restore(container: Any) -> Restore:
    is_dict = isinstance(container, dict)
    kept, values = [*container], [*container.values()] if is_dict else []

    def restore() -> None:
        is_same = len(container) == len(kept) and all(map(is_, container, kept))
        if is_same and (not is_dict or all(map(is_, container.values(), values))):
            return
        container.clear()
        if is_dict:
            container.update(zip(kept, values, strict=True))
        elif isinstance(container, set):
            container.update(kept)
        else:
            container.extend(kept)

    return restore


def _tensor_restore(tensor: Tensor) -> Restore:
    data = tensor.detach()
    values, version, address = data.clone(), _version(tensor), _address(tensor)

    def restore() -> None:
        is_replaced = tensor.shape != data.shape or _address(tensor) != address
        if not is_replaced and version is not None and tensor._version == version:
            return
        with torch.inference_mode(tensor.is_inference()), torch.no_grad():
            if is_replaced:
                tensor.data = data
            if version is None or _version(tensor) != version:
                tensor.copy_(values)

    return restore


def _version(tensor: Tensor) -> int | None:
    """How often a tensor was changed; None for one made in inference mode, which does not count."""
    return None if tensor.is_inference() else tensor._version


def _address(tensor: Tensor) -> int:
    return 0 if tensor.is_meta else tensor.data_ptr()
