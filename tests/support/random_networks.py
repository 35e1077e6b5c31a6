"""Registry networks with cheap random weights, and which cell of a layer responds to a patch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor, nn

from video_cam.layers.hooks import capture
from video_cam.models.classifier import Classifier

_INITS = [name for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")]


@contextmanager
def no_initialisation() -> Iterator[None]:
    """Leave the weights of networks built inside the block uninitialised: fill them afterwards."""
    no_effect = {name: lambda tensor, *args, **kwargs: tensor for name in _INITS}
    with patch.multiple(nn.init, **no_effect):
        yield


def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Fill the weights from one short random sequence, repeated: a hundred times faster.

    Weights of convolutions are positive, so that a bright patch changes the cell at its own place
    most: a deep stack of signed random filters would blur it.
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


def patch_of_cell(
    cell: Sequence[int], size: Sequence[int], grid: Sequence[int]
) -> tuple[slice, ...]:
    """The part of an input of ``size`` that lies at a cell of ``grid``, both (T, H, W)."""
    return tuple(
        slice(i * length // cells, (i + 1) * length // cells)
        for i, length, cells in zip(cell, size, grid, strict=True)
    )


def most_changed_cells(
    model: Classifier, layer: str, patches: Iterable[tuple[slice, ...]]
) -> list[list[int]]:
    """The (t, y, x) cell of ``layer`` that each bright patch in a noise clip changes most."""
    size = (model.num_frames, *model.preprocess.crop)
    noise = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    plain = _grid(model, layer, noise)
    cells = []
    for part in patches:
        bright = noise.clone()
        bright[(slice(None), slice(None), *part)] += 3.0
        change = (_grid(model, layer, bright) - plain).square().sum(1)[0]
        cells.append([int(i) for i in torch.unravel_index(change.argmax(), change.shape)])
    return cells


def _grid(model: Classifier, layer: str, x: Tensor) -> Tensor:
    fold = model.layers(x.shape[2:], [layer]).folds[layer]
    with capture(model.module, [layer]) as captured, torch.no_grad():
        model.module(x)
        return fold(captured.activations[layer].detach())
