"""Large networks with cheap random weights, and the cell in which a bright patch shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor, nn

from video_cam.layers.hooks import capture
from video_cam.models.classifier import Classifier

_INITS = [name for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")]


@contextmanager
def no_initialisation() -> Iterator[None]:
    """Networks built inside keep uninitialised weights, which is fast; ``fill`` them afterwards."""
    quiet = {name: lambda tensor, *args, **kwargs: tensor for name in _INITS}
    with patch.multiple(nn.init, **quiet):
        yield


def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Set all weights from one short random sequence, repeated: a hundred times faster.

    Those of convolutions are positive, so that a bright patch stays brightest in its own cell; a
    deep stack of signed random filters would blur it beyond recognition.
    """
    noise = torch.randn(99_991, generator=torch.Generator().manual_seed(seed))
    for name, parameter in module.named_parameters():
        flat = parameter.data.view(-1)
        values = noise.repeat(-(-len(flat) // len(noise)))[: len(flat)]
        if parameter.ndim > 3:
            flat.copy_(values.abs() / parameter[0].numel())
        elif parameter.ndim > 1:
            flat.copy_(values / parameter[0].numel() ** 0.5)
        else:  # gains near 1, biases near 0
            flat.copy_(0.1 * values + (1.0 if name.endswith("weight") else 0.0))
    return module


def most_changed_cell(
    model: Classifier, layer: str, patch: tuple[slice, slice, slice]
) -> list[int]:
    """The (t, y, x) cell of ``layer`` that a bright patch of a noisy clip changes most."""
    size = (model.num_frames, *model.preprocess.crop)
    plain = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    bright = plain.clone()
    bright[(slice(None), slice(None), *patch)] += 3.0
    change = (_grid(model, layer, bright) - _grid(model, layer, plain)).square().sum(1)[0]
    return [int(i) for i in torch.unravel_index(change.argmax(), change.shape)]


def _grid(model: Classifier, layer: str, x: Tensor) -> Tensor:
    fold = model.layers(x.shape[2:], [layer]).folds[layer]
    with capture(model.module, [layer]) as captured:
        model.module(x)
        return fold(captured.activations[layer].detach())
