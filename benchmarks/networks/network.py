"""``Network``: one network of a repository, and how the tool is asked to explain it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


def scores_of_clips(outputs: Any) -> Tensor:
    """The outputs of a network that returns one tensor (N, classes)."""
    if not isinstance(outputs, Tensor) or outputs.ndim != 2:
        raise TypeError("the row of this network must say where its scores are: give scores=")
    return outputs


@dataclass(frozen=True)
class Network:
    """A network and the request that the tool gets.

    Attributes:
        name: for the table; unique.
        repository: the folder below the folder of checkouts; empty for an installed package.
        model: what ``--model`` is given: a factory without arguments, or a name that the tool
            knows.
        num_frames, size: of the input; None for the default of a name that the tool knows.
        layout: as ``--layout-in`` takes it; None for the default.
        layer: the layer to map; None for the default one.
        folders: of the repository, that its own code expects on Python's path.
        scores: from the network's outputs to scores (N, classes), written here by hand, so that
            the tool's own way of finding them is checked.
        weights: as ``--weights`` takes them; "none" for a name that the tool has weights for.
        in_float64: whether maps are compared in float64; large 3-D convolutions are slow in it.
    """

    name: str
    repository: str
    model: Callable[[], nn.Module] | str
    num_frames: int | None = 16
    size: tuple[int, int] | None = (112, 112)
    layout: str | None = None
    layer: str | None = None
    folders: tuple[str, ...] = (".",)
    scores: Callable[[Any], Tensor] = scores_of_clips
    weights: str | None = None
    in_float64: bool = True

    @property
    def reference(self) -> str:
        """The argument of ``--model``."""
        if isinstance(self.model, str):
            return self.model
        return f"{self.model.__module__}:{self.model.__name__}"

    @property
    def asked(self) -> str:
        """The request in one line."""
        size = "" if self.size is None else f"{self.num_frames}x{self.size[0]}x{self.size[1]}"
        layout = f"--layout-in {self.layout}" if self.layout else ""
        layer = f"--layer {self.layer}" if self.layer else "default layer"
        return ", ".join(part for part in (layer, size, layout) if part)


def imported(name: str) -> Any:
    """``package.module:name`` of a checkout or of an installed package.

    Raises:
        ImportError: where the module or the name is missing.
    """
    module, _, attribute = name.partition(":")
    found = importlib.import_module(module)
    if not hasattr(found, attribute):
        raise ImportError(f"{module} has no {attribute}")
    return getattr(found, attribute)
