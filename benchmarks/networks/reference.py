"""Grad-CAM written by hand: one hook, one backward pass, no part of the tool but the fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

Fold = Callable[[Tensor], Tensor]
Scores = Callable[[Any], Tensor]


def gradcam_by_hand(
    module: nn.Module, x: Tensor, folds: Mapping[str, Fold], scores: Scores
) -> tuple[Tensor, dict[str, Tensor]]:
    """Grad-CAM of one clip for its best class.

    Selvaraju et al. 2017 ("Grad-CAM"): the sum over channels of the activations, each weighted by
    the mean over places of its gradient.

    Args:
        x: (1, 3, T, H, W).
        folds: layer -> what brings its output to (1, K, T', H', W').
        scores: from the network's outputs to (1, classes).

    Returns:
        Scores (classes,), and layer -> map (T', H', W'), signed.
    """
    kept: dict[str, Tensor] = {}

    def keep(layer: str, _module: nn.Module, _arguments: Any, output: Any) -> Any:
        tensor = output if isinstance(output, Tensor) else output[0]
        kept[layer] = tensor
        # The network goes on with a copy: its next operation may be in place.
        return tensor.clone() if isinstance(output, Tensor) else (tensor.clone(), *output[1:])

    handles = [
        module.get_submodule(layer).register_forward_hook(partial(keep, layer)) for layer in folds
    ]
    try:
        with torch.enable_grad(), torch.autograd.graph.allow_mutation_on_saved_tensors():
            found = scores(module(x.clone().requires_grad_()))
            gradients = torch.autograd.grad(found[0].max(), [kept[layer] for layer in folds])
    finally:
        for handle in handles:
            handle.remove()
    return found[0].detach(), {
        layer: _weighted_sum(folds[layer](kept[layer].detach()), folds[layer](gradient))
        for layer, gradient in zip(folds, gradients, strict=True)
    }


def _weighted_sum(activations: Tensor, gradient: Tensor) -> Tensor:
    return (activations * gradient.mean((2, 3, 4), keepdim=True)).sum(1)[0]


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest absolute value that is expected.

    Infinite where the shapes differ, and where zeros were expected and something else was found.
    """
    if found.shape != expected.shape:
        return float("inf")
    largest = float((found.double() - expected.double()).abs().max())
    scale = float(expected.double().abs().max())
    if largest == 0:
        return 0.0
    return largest / scale if scale else float("inf")
