"""Tensors inside tuples, lists, dictionaries and dataclasses, and the rows of one sample."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor


def map_tensors(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """``value`` with ``function`` of each tensor in its place, containers packed afresh."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, (tuple, list)):
        items = [map_tensors(function, item) for item in value]
        # A named tuple takes its fields one by one.
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, MutableMapping):
        packed = copy.copy(value)  # keeps what a subclass has besides its items
        for key, item in value.items():
            packed[key] = map_tensors(function, item)
        return packed
    if is_dataclass(value) and not isinstance(value, type):
        twin = copy.copy(value)
        for field in fields(value):  # of a frozen one too
            item = map_tensors(function, getattr(value, field.name))
            object.__setattr__(twin, field.name, item)
        return twin
    return value


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in ``value`` in the order of ``map_tensors``."""
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
    """Whether ``value`` is made of ordinary tensors, numbers, text and None alone."""
    if isinstance(value, Tensor):
        return value.layout is torch.strided and not value.is_nested
    if isinstance(value, (tuple, list)):
        return all(is_plain(item) for item in value)
    if isinstance(value, MutableMapping):
        return all(is_plain(item) for item in value.values())
    return value is None or isinstance(value, (bool, int, float, str))


def sample_rows(tensor: Tensor, samples: int, sample: int, copies: int) -> Tensor:
    """The rows of one sample, ``copies`` times over: (samples x F, ...) -> (copies x F, ...).

    Where F is 1 no memory is taken: the copies are one and the same. A tensor whose length is no
    multiple of ``samples`` belongs to no sample and comes back as it is.
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
