"""Which layers' grids influence the class scores, tested by one backward pass on noise."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.axes import run_network
from video_cam.layers.differentiable import reentrant_checkpoints_refused
from video_cam.layers.hooks import capture, frozen_evaluation
from video_cam.layers.layout import Fold
from video_cam.layers.output_entries import entries
from video_cam.layers.outputs import class_scores
from video_cam.layers.trace import input_dtype

MAX_TESTED_LAYERS = 16


def layers_affecting_scores(
    model: nn.Module, size: Sequence[int], layers: Sequence[str], folds: Mapping[str, Fold]
) -> list[str]:
    """Those of ``layers`` whose grid has a gradient that is not zero everywhere.

    The last block of a vision transformer has a grid, but the scores may depend on its class token
    alone; such a layer has no map.

    Args:
        size: (T, H, W) of the input.
        layers: module names; only the first MAX_TESTED_LAYERS are tested.
        folds: by module name, how an output becomes (N, K, T', H', W').

    Returns:
        Module names in the order of ``layers``.
    """
    tested = list(layers[:MAX_TESTED_LAYERS])
    gradients = _gradients(model, size, tested)
    return [
        name
        for name, gradient in zip(tested, gradients or [None] * len(tested), strict=True)
        if gradient is not None and bool((folds[name](gradient) != 0).any())
    ]


def gradients_are_zero(model: nn.Module, size: Sequence[int], layers: Sequence[str]) -> bool:
    """Whether the scores have gradients at the layers that are 0 everywhere, as of a head of zeros.

    False where they have none, as in a pass under ``torch.no_grad()``.
    """
    gradients = _gradients(model, size, layers[:MAX_TESTED_LAYERS])
    known = [gradient for gradient in gradients or [] if gradient is not None]
    return bool(known) and not any(bool(gradient.any()) for gradient in known)


def has_gradient(model: nn.Module, size: Sequence[int]) -> bool:
    """Whether the scores of a noise clip have a gradient at the input, of whatever value.

    Args:
        size: (T, H, W) of the input.
    """
    x = _noise(model, size).requires_grad_()
    with frozen_evaluation(model), torch.inference_mode(False), torch.enable_grad():
        return sum_of_squares(run_network(model, x.clone())).requires_grad


def _noise(model: nn.Module, size: Sequence[int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return torch.randn(1, 3, *size, generator=generator).to(device, input_dtype(model))


def _gradients(
    model: nn.Module, size: Sequence[int], layers: Sequence[str]
) -> Sequence[Tensor | None] | None:
    """Of the scores of a noise clip at each layer's output; None where they have none at all."""
    x = _noise(model, size)
    # Some networks change in place what autograd has saved.
    with capture(model, layers) as captured, torch.autograd.graph.allow_mutation_on_saved_tensors():
        score = sum_of_squares(captured.complete(lambda: model(x.clone())))
        if not score.requires_grad:
            return None
        outputs = [captured.activations[name] for name in layers]
        try:
            with reentrant_checkpoints_refused(), warnings.catch_warnings():
                # Whether quantised layers stop the gradient is what is asked here.
                warnings.filterwarnings("ignore", r"quantized::.*autograd kernel")
                return torch.autograd.grad(score, outputs, allow_unused=True)
        except UsageError:
            return None


def sum_of_squares(outputs: Any) -> Tensor:
    """Of the class scores; without any, of all tensors in the outputs."""
    try:
        return class_scores(outputs).square().sum()
    except UsageError:
        squares = [tensor.square().sum() for tensor in entries(outputs).values()]
        return torch.stack(squares).sum() if squares else torch.zeros(())
