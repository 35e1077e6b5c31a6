"""CAM formulas: pure functions from activations and gradients to weights, and a table of names.

Every map is ``sum_k w_k A_k`` over the channels k; a method is only its weights. ``A`` and ``G``
(the gradient of the score with respect to A) have shape (N, K, T', H', W'); ``axes`` are the axes
that are pooled: time and space, or space alone. Weights broadcast against A. Maps are signed: the
ReLU of the papers comes after upsampling and blending.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Axes = tuple[int, ...]
GradientMethod = Callable[[Tensor, Tensor, Axes], Tensor]

POOLING: dict[str, Axes] = {"clip": (2, 3, 4), "frame": (3, 4)}


def gradcam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Grad-CAM: w_k = mean of G_k (Selvaraju et al. 2017, eq. 1)."""
    return G.mean(axes, keepdim=True)


def gradcam_plus_plus(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Grad-CAM++: w_k = sum of alpha relu(G_k) (Chattopadhay et al. 2018, eqs. 11 and 19).

    alpha = G^2 / (2 G^2 + (sum A_k) G^3), and 0 where G is 0.
    """
    squared = G**2
    denominator = 2 * squared + A.sum(axes, keepdim=True) * squared * G + 1e-6
    alpha = torch.where(G != 0, squared / denominator, torch.zeros_like(G))
    return (alpha * G.clamp(min=0)).sum(axes, keepdim=True)


def hirescam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """HiResCAM: every element has its own weight, w = G (Draelos and Carin 2020, eq. 7)."""
    return G


def layercam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """LayerCAM: w = relu(G), element by element (Jiang et al. 2021, eq. 6)."""
    return G.clamp(min=0)


GRADIENT_METHODS: dict[str, GradientMethod] = {
    "gradcam": gradcam,
    "gradcam++": gradcam_plus_plus,
    "hirescam": hirescam,
    "layercam": layercam,
}


def activation_map(weights: Tensor, A: Tensor) -> Tensor:
    """``sum_k w_k A_k``: (N, K, T', H', W') -> signed (N, T', H', W')."""
    return (weights * A).sum(1)
