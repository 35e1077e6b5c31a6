"""The tensors in what a network returns, each with the way to it: ``['cls_score']``, ``[1]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from video_cam.layers.outputs import SCORE_NAMES

Path = tuple[str | int, ...]  # keys, attributes and positions, from the outside to the tensor

_MAX_DEPTH = 3  # of containers in containers
_MAX_NAMED = 6  # entries in a message


def entries(outputs: Any) -> dict[Path, Tensor]:
    """The floating-point tensors with at least one axis, in their order, by the way to them.

    Args:
        outputs: a tensor; or tuples, lists, mappings, dataclasses and objects with attributes, up
            to three of them inside each other.
    """
    return {
        path: tensor
        for path, tensor in _walk(outputs, ())
        if tensor.is_floating_point() and tensor.ndim
    }


def entry_at(outputs: Any, path: Path) -> Any:
    """What is at ``path`` in the outputs.

    Raises:
        LookupError, AttributeError: where there is nothing.
    """
    for step in path:
        is_container = isinstance(outputs, Mapping | tuple | list)
        outputs = outputs[step] if is_container else getattr(outputs, str(step))
    return outputs


def name_of(path: Path) -> str:
    """The entry as the user writes it: ``cls_score``, ``1``, ``heads.verb``."""
    return ".".join(map(str, path))


def listed(found: Mapping[Path, Tensor]) -> str:
    """The entries with their shapes, for a message."""
    shown = [f"{name_of(path)} {tuple(t.shape)}" for path, t in found.items()]
    more = len(shown) - _MAX_NAMED
    return ", ".join(shown[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def best_named(paths: Sequence[Path]) -> Path | None:
    """The entry with the name that usually holds scores; None where none has such a name."""
    by_name = {path[-1]: path for path in reversed(paths) if path}
    return next((by_name[name] for name in SCORE_NAMES if name in by_name), None)


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Tensor]]:
    if isinstance(value, Tensor):
        yield path, value
    elif len(path) < _MAX_DEPTH:
        for step, item in _items(value):
            yield from _walk(item, (*path, step))


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        yield from ((key, item) for key, item in value.items() if isinstance(key, str | int))
    elif isinstance(value, tuple | list):
        yield from enumerate(value)
    elif is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from ((name, item) for name, item in vars(value).items() if name[:1] != "_")
