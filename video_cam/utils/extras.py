"""Optional packages, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from video_cam.errors import UsageError


def import_extra(module: str, extra: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: its name.
        extra: of this project, which installs it.

    Raises:
        UsageError: where it is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"{module.partition('.')[0]} is not installed: pip install 'video-cam[{extra}]'"
        ) from error
