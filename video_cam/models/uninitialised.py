"""Build a network whose parameters are all loaded afterwards, without random numbers for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

# Of torch.nn.init and of tensors: what fills a parameter with random numbers. Functions that are
# made of others, as trunc_normal_, are left out: they fill with these.
_RANDOM_FILLS = (
    *("uniform_", "normal_"),
    *("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"),
)


class WithoutRandomValues(TorchFunctionMode):
    """In the block, parameters that would get random values keep what their memory holds.

    Random numbers for ``r3d_18`` take half a second, longer than loading its weights.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call ``func``, unless it fills a parameter with random numbers."""
        named = kwargs or {}
        if getattr(func, "__name__", "") in _RANDOM_FILLS:
            tensor = args[0] if args else named.get("tensor")
            if isinstance(tensor, nn.Parameter):
                return tensor
        return func(*args, **named)
