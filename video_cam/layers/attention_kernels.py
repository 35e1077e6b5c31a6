"""Kernels that hide the weights of attention, exchanged for PyTorch's own while a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

# Of transformers: names of what calls PyTorch's own functions.
_OPEN = ("eager", "sdpa", None)
_SETTING = "_attn_implementation"


@contextmanager
def open_kernels(model: nn.Module) -> Iterator[None]:
    """Networks of transformers compute attention with PyTorch's functions inside the block.

    Their settings are as before afterwards, also after an error.
    """
    configs: dict[int, Any] = {}
    for module in model.modules():
        config = getattr(module, "config", None)
        if getattr(config, _SETTING, None) not in _OPEN:
            configs[id(config)] = config
    before = [(config, getattr(config, _SETTING)) for config in configs.values()]
    try:
        for config, _ in before:
            setattr(config, _SETTING, "sdpa")
        yield
    finally:
        for config, name in before:
            setattr(config, _SETTING, name)
