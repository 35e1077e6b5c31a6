"""A network that shares another's layers, under their names, and has another forward."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

from torch import nn

# (the network's own forward, its arguments) -> outputs
Around = Callable[..., Any]


def with_forward(module: nn.Module, prefix: str, around: Around) -> nn.Module:
    """A network whose forward is ``around(forward, *inputs, **named)``.

    ``module`` itself is not changed.

    Args:
        module: the network.
        prefix: of the new network's class name.
        around: gets the network's own forward and the arguments of a call.
    """
    adapted = copy.copy(module)
    base = type(module)
    # Module.compile and some packages replace the call or the forward of a single network.
    vars(adapted).pop("_compiled_call_impl", None)
    if "forward" in vars(adapted):
        replaced = vars(adapted)["forward"]
        vars(adapted)["forward"] = functools.wraps(replaced)(functools.partial(around, replaced))
        return adapted

    @functools.wraps(base.forward)
    def forward(self: nn.Module, *inputs: Any, **named: Any) -> Any:
        return around(functools.partial(base.forward, self), *inputs, **named)

    # A subclass, as torch's parametrisations make one: a wrapping module would rename all layers.
    adapted.__class__ = type(f"{prefix}{base.__name__}", (base,), {"forward": forward})
    return adapted
