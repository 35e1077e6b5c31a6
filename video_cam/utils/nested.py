"""Tensors inside tuples, lists, dictionaries and dataclasses."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor


def map_tensors(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """A copy of ``value`` in which each tensor is replaced by ``function`` of it.

    Containers (tuples, named tuples, lists, mappings, dataclass instances) are new objects of the
    same type; everything else is shared with ``value``.
    """
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, (tuple, list)):
        items = [map_tensors(function, item) for item in value]
        # A named tuple takes its fields as separate arguments.
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, MutableMapping):
        copied = copy.copy(value)  # keeps a subclass's attributes
        for key, item in value.items():
            copied[key] = map_tensors(function, item)
        return copied
    if is_dataclass(value) and not isinstance(value, type):
        twin = copy.copy(value)
        for field in fields(value):
            item = map_tensors(function, getattr(value, field.name))
            object.__setattr__(twin, field.name, item)  # frozen dataclasses too
        return twin
    return value


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in ``value``, in the order in which ``map_tensors`` visits them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, MutableMapping):
        for item in value.values():
            yield from tensors_in(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from tensors_in(getattr(value, field.name))


def is_plain(value: Any) -> bool:
    """Whether ``value`` holds only dense tensors, numbers, strings and None."""
    if isinstance(value, Tensor):
        return value.layout is torch.strided and not value.is_nested
    if isinstance(value, (tuple, list)):
        return all(is_plain(item) for item in value)
    if isinstance(value, MutableMapping):
        return all(is_plain(item) for item in value.values())
    return value is None or isinstance(value, (bool, int, float, str))


def sample_rows(tensor: Tensor, samples: int, sample: int, copies: int) -> Tensor:
    """The rows of one sample of a batch, repeated.

    Args:
        tensor: (samples * F, ...), where sample i owns rows [i * F, (i + 1) * F).
        samples: how many samples the batch holds.
        sample: the index of the wanted one.
        copies: how often its rows are repeated.

    Returns:
        (copies * F, ...). For F = 1 the copies share one memory. A tensor whose length is not a
        multiple of ``samples`` holds no per-sample rows and is returned unchanged.
    """
    if tensor.ndim == 0 or len(tensor) % samples:
        return tensor
    length = len(tensor) // samples
    rows = tensor[sample * length : (sample + 1) * length]
    if copies == 1:
        return rows
    if length == 1:
        return rows.expand(copies, *rows.shape[1:])
    return rows.repeat(copies, *[1] * (rows.ndim - 1))


def strided_like(tensor: Tensor, other: Tensor) -> Tensor:
    """``tensor`` with its axes in the order in memory of ``other``, which has as many axes.

    Code that takes views of a tensor depends on that order.
    """
    strides = other.stride()
    order = sorted(range(other.ndim), key=strides.__getitem__, reverse=True)  # stable
    inverse = sorted(range(other.ndim), key=order.__getitem__)
    return tensor.permute(order).contiguous().permute(inverse)
