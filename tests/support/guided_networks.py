"""The rule of guided backpropagation as a function of its own, and a network with ReLUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class GuidedReLU(torch.autograd.Function):
    """ReLU with the backward pass g (x > 0) (g > 0), the reference."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return g * (x > 0) * (g > 0)


class GuidedReLUModule(nn.Module):
    """GuidedReLU as a module."""

    def forward(self, x: Tensor) -> Tensor:
        return GuidedReLU.apply(x)


class Rectified(nn.Module):
    """Convolutions, each followed by ``rectify``, one of them in a residual branch."""

    def __init__(self, rectify: Callable[[Tensor], Tensor] = GuidedReLU.apply) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 4, 3, stride=(1, 2, 2), padding=1)
        self.conv2 = nn.Conv3d(4, 4, 3, padding=1)
        self.conv3 = nn.Conv3d(4, 5, 2)
        self.fc = nn.Linear(5, 4)
        self.rectify = rectify

    def forward(self, x: Tensor) -> Tensor:
        x = self.rectify(self.conv1(x))
        x = self.rectify(x + self.conv2(x))
        x = self.rectify(self.conv3(x))
        return self.fc(x.tanh().mean((2, 3, 4)))


def plain_gradient(model: nn.Module, x: Tensor, class_ids: list[int]) -> Tensor:
    """The ordinary gradient of one score per sample with respect to the input."""
    x = x.clone().requires_grad_()
    scores = model.eval()(x)[range(len(x)), class_ids].sum()
    return torch.autograd.grad(scores, x)[0]
