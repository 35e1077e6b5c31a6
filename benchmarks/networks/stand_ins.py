"""Stand-ins for what a repository imports or asks for and its network does not need."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from unittest.mock import MagicMock, patch


def stand_in(*names: str) -> None:
    """Let these modules be imported where they are not installed; nothing in them does anything.

    Args:
        names: of modules with their packages, such as "detectron2.layers".
    """
    for name in names:
        if _is_missing(name):
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                sys.modules.setdefault(".".join(parts[:length]), MagicMock())


def replace_module(name: str, **attributes: object) -> None:
    """Let the module ``name`` be one with these attributes only, wherever it is imported."""
    module = ModuleType(name)
    vars(module).update(attributes)
    sys.modules[name] = module


@contextmanager
def without_pretrained_weights(name: str) -> Iterator[None]:
    """Inside the block torchvision's network ``name`` has random weights, whatever is asked for.

    For code that always asks for pretrained weights: a user with a checkpoint needs none.
    """
    from torchvision import models

    build = getattr(models, name)
    with patch.object(models, name, lambda *_arguments: build(weights=None)):
        yield


def _is_missing(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is None
    except (ImportError, ValueError):  # its package is missing, or is a stand-in
        return name not in sys.modules
