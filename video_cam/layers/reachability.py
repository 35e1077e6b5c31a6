"""Which layers' grids does the score depend on? Asked of one run on noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from video_cam.layers.hooks import capture
from video_cam.layers.layout import Fold
from video_cam.layers.outputs import class_scores
from video_cam.layers.trace import input_dtype

_AT_ONCE = 16


def leading_to_scores(
    model: nn.Module, size: Sequence[int], names: Sequence[str], folds: Mapping[str, Fold]
) -> list[str]:
    """Those of ``names`` whose grid changes the scores, in their order; at most a few are tried.

    size: (T, H, W) of the input. A vision transformer's last block has a grid, but the scores may
    read its class token alone.
    """
    generator = torch.Generator().manual_seed(0)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    x = torch.randn(1, 3, *size, generator=generator).to(device, input_dtype(model))
    tried = list(names[:_AT_ONCE])
    # Some networks change in place what autograd has saved.
    with capture(model, tried) as captured, torch.autograd.graph.allow_mutation_on_saved_tensors():
        score = class_scores(model(x)).square().sum()
        if not score.requires_grad:
            return []
        outputs = [captured.activations[name] for name in tried]
        gradients = torch.autograd.grad(score, outputs, allow_unused=True)
    return [
        name
        for name, gradient in zip(tried, gradients, strict=True)
        if gradient is not None and _anywhere(folds[name](gradient))
    ]


def _anywhere(gradient: Tensor) -> bool:
    return bool((gradient != 0).any())
