"""Where an error was raised in code that is neither PyTorch's nor this project's."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

_LIBRARIES = (Path(torch.__file__).parent, Path(__file__).parents[1])


def place_in_user_code(error: BaseException) -> str:
    """File, line and function where the caller's own code failed: ``net.py:31 in forward``.

    Returns:
        "" where no code of the caller is in the traceback.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not any(path.is_relative_to(folder) for folder in _LIBRARIES):
            return f"{path.name}:{frame.lineno} in {frame.name}"
    return ""
