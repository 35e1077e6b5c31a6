"""What a factory takes and returns: the network, or one line that says what is wrong with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from video_cam.errors import UsageError
from video_cam.layers.scores_only import as_network


def check_takes_nothing(factory: Callable[..., Any], reference: str) -> None:
    """Raise UsageError for a factory that cannot be called without arguments."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # of some built-in functions
        return
    needed = [
        one.name
        for one in parameters
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if needed:
        name = reference.rpartition(":")[2]
        raise UsageError(
            f"{reference} needs {', '.join(needed)}, and it is called without arguments: write "
            f"a function that gives them, as def make(): return {name}({needed[0]}=...), and give "
            "that"
        )


def network_of(made: Any, reference: str) -> nn.Module:
    """The network that a factory returned; a function from a clip to scores counts as one.

    Raises:
        UsageError: where it returned something else; the message says how to get at the network.
    """
    if isinstance(made, nn.Module) or (callable(made) and not isinstance(made, type)):
        return as_network(made)
    name = reference.rpartition(":")[2]
    found = f"{reference} returned {_described(made)}, expected an nn.Module"
    if isinstance(made, type) and issubclass(made, nn.Module):
        raise UsageError(f"{found}: call the class, as def make(): return {name}()()")
    place = next((key for key, one in _items(made) if isinstance(one, nn.Module)), None)
    if place is not None:
        raise UsageError(
            f"{found}: return the network alone, as def make(): return {name}()[{place!r}]"
        )
    raise UsageError(found)


def _items(made: Any) -> list[tuple[Any, Any]]:
    if isinstance(made, tuple | list):
        return list(enumerate(made))
    return list(made.items()) if isinstance(made, Mapping) else []


def _described(made: Any) -> str:
    if isinstance(made, type):
        return f"the class {made.__name__}"
    if isinstance(made, tuple | list) and made:
        return f"a {type(made).__name__} of {', '.join(type(one).__name__ for one in made[:4])}"
    return f"a {type(made).__name__}"
