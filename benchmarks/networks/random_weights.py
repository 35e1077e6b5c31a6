"""Random weights with which every layer of a network has an effect."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SPREAD = 0.02  # as of most transformers' weights
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fill_zero_weights(module: nn.Module) -> None:
    """Draw weights that start as zeros: a branch or a head of zeros has no gradient."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.rpartition(".")[2] != "weight" or parameter.count_nonzero():
                continue
            if parameter.ndim > 1:
                parameter.normal_(0, _SPREAD)
            else:
                parameter.fill_(1)


def refresh_batch_norms(module: nn.Module, x: Tensor) -> None:
    """Give batch norms the mean and variance that they see on ``x``.

    With the mean 0 and variance 1 that they start with, activations of deep networks with random
    weights vanish or grow without bound.
    """
    norms = [one for one in module.modules() if isinstance(one, _BATCH_NORMS)]
    momenta = [one.momentum for one in norms]
    module.eval()
    for norm in norms:
        norm.momentum = 1.0
        norm.training = norm.track_running_stats
    try:
        with torch.no_grad():
            module(x)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.training = False
