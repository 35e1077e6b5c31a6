"""Files of a training run: the state to resume from, and the trained weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from models3d.recipe import Recipe


def state_file(output: Path) -> Path:
    """The file with a run's state, in the folder of the weights that it will write."""
    return output.with_suffix(".resume.pt")


def save_state(path: Path, parts: dict[str, Any], recipe: Recipe, step: int) -> None:
    """Write what a run needs to continue.

    Args:
        path: the file; it holds either the old or the whole new state.
        parts: name -> object with a ``state_dict``, such as network and optimizer.
        recipe: of the run.
        step: the step to continue with.
    """
    states = {name: part.state_dict() for name, part in parts.items()}
    with _replacing(path) as partial:
        torch.save({"step": step, "recipe": asdict(recipe), **states}, partial)


def restore_state(path: Path, parts: dict[str, Any], recipe: Recipe) -> int:
    """Load a saved state into ``parts``.

    Returns:
        The step to continue with.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the state is of another recipe.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: nothing to resume; omit --resume to start anew")
    saved = torch.load(path, weights_only=True)
    if saved["recipe"] != asdict(recipe):
        raise ValueError(f"{path} was begun with another recipe: {saved['recipe']}")
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])


def save_weights(net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Write a safetensors file; ``path`` holds either the old or the whole new file."""
    state = {name: value.cpu().contiguous() for name, value in net.state_dict().items()}
    with _replacing(path) as partial:
        partial.write_bytes(save(state, metadata))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the name ``path`` when the block ends without an error."""
    partial = path.with_name(path.name + ".part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
