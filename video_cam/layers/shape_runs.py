"""Runs of a network on inputs of other lengths and sizes, where possible on shapes alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.layers.axes import TIME, run_network
from video_cam.layers.hooks import frozen_evaluation
from video_cam.layers.meta_device import call_on_meta, shapes_alone
from video_cam.utils.nested import map_tensors

_FACTORS = (2.0, 0.5)  # of the number of frames or of the size, tried one after another


class ShapeRuns:
    """The outputs of one network for an input, and for inputs with more frames or pixels."""

    def __init__(self, model: nn.Module, x: Any) -> None:
        """Run the network once on shapes.

        Args:
            model: the network, which stays as it is.
            x: as its forward takes it; only shapes and dtypes are used.
        """
        self._model, self._x = model, x
        self.outputs = self._on_shapes(x)

    @property
    def on_shapes(self) -> bool:
        """Whether the network runs on shapes; then ``outputs`` have a graph."""
        return self.outputs is not None

    def again(self) -> Any:
        """The outputs for the input itself; None where the network does not run."""
        return self._run(self._x)

    def with_other_frames(self) -> Any:
        """The outputs for another number of frames; None where the network takes no other."""
        return self._first(_with_frames)

    def with_other_size(self) -> Any:
        """The outputs for another height and width; None where the network takes no other."""
        return self._first(_with_size)

    def _first(self, changed: Callable[..., Tensor]) -> Any:
        for factor in _FACTORS:
            outputs = self._run(map_tensors(partial(changed, factor=factor), self._x))
            if outputs is not None:
                return outputs
        return None

    def _run(self, x: Any) -> Any:
        return self._on_shapes(x) if self.on_shapes else self._on_zeros(x)

    def _on_shapes(self, x: Any) -> Any:
        """The outputs on the meta device, with the graph of the pass."""
        try:
            with (
                _without_warnings(),
                torch.inference_mode(False),
                torch.enable_grad(),
                frozen_evaluation(self._model),
            ):
                inputs = map_tensors(_differentiable, shapes_alone(x))
                return call_on_meta(self._model, run_network, inputs)
        except Exception:  # the network's own code may raise anything
            return None

    def _on_zeros(self, x: Any) -> Any:
        device = next((p.device for p in self._model.parameters()), torch.device("cpu"))
        zeros = map_tensors(lambda t: torch.zeros(t.shape, dtype=t.dtype, device=device), x)
        try:
            with _without_warnings(), torch.no_grad(), frozen_evaluation(self._model):
                return run_network(self._model, zeros)
        except Exception:  # the network's own code may raise anything
            return None


def _differentiable(tensor: Tensor) -> Tensor:
    """A clone, because the network may begin with an in-place operation, which a leaf refuses."""
    return tensor.requires_grad_().clone() if tensor.is_floating_point() else tensor


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Leave out warnings of the network, which its run on the clip gives again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _with_frames(tensor: Tensor, factor: float) -> Tensor:
    """An input with other frames; images have none."""
    if tensor.ndim != 5:
        return tensor
    shape = list(tensor.shape)
    shape[TIME] = max(round(shape[TIME] * factor), 1)
    return torch.empty(shape, dtype=tensor.dtype, device="meta")


def _with_size(tensor: Tensor, factor: float) -> Tensor:
    """An input with another height and width."""
    if tensor.ndim < 4:
        return tensor
    *others, height, width = tensor.shape
    shape = (*others, max(round(height * factor), 1), max(round(width * factor), 1))
    return torch.empty(shape, dtype=tensor.dtype, device="meta")
