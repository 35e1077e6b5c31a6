"""CAM formulas: pure functions of tensors, and the table of methods by name.

``A`` are a layer's activations (N, K, T', H', W') and ``G`` is the gradient of the score with
respect to them. ``axes`` are the axes that are pooled: time and space, or space alone. Weights
broadcast against A, and the map is ``sum_k w_k A_k``. Maps are signed: the ReLU of the papers
comes after upsampling and blending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Axes = tuple[int, ...]

POOLING: dict[str, Axes] = {"clip": (2, 3, 4), "frame": (3, 4)}


def at_least_float32(tensor: Tensor) -> Tensor:
    """Sums of half-precision numbers, and their squares, leave half precision's range."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def gradcam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Grad-CAM: w_k = mean of G_k (Selvaraju et al. 2017, eq. 1)."""
    return G.mean(axes, keepdim=True)


def gradcam_plus_plus(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Grad-CAM++: w_k = sum of alpha relu(G_k) (Chattopadhay et al. 2018, eqs. 11 and 19).

    alpha = G^2 / (2 G^2 + (sum A_k) G^3), and 0 where G is 0. The denominator is 1e-6 larger, as
    in pytorch-grad-cam: where gradients are below a thousandth, alpha falls with them.
    """
    return _plus_plus(A, G, G**2, G**3, axes)


def smoothgradcam_plus_plus(A: Tensor, D: Tensor, axes: Axes) -> Tensor:
    """Smooth Grad-CAM++: Grad-CAM++ with averages over noisy inputs (Omeiza et al. 2019, eq. 6).

    ``D`` (3, N, K, T', H', W'): the means of G, G^2 and G^3.
    """
    return _plus_plus(A, D[0], D[1], D[2], axes)


def _plus_plus(A: Tensor, first: Tensor, second: Tensor, third: Tensor, axes: Axes) -> Tensor:
    denominator = 2 * second + A.sum(axes, keepdim=True) * third + 1e-6
    alpha = torch.where(first != 0, second / denominator, torch.zeros_like(first))
    return (alpha * first.clamp(min=0)).sum(axes, keepdim=True)


def xgradcam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """XGrad-CAM: w_k = sum of G_k A_k / sum of A_k (Fu et al. 2020, eq. 8)."""
    return (G * A).sum(axes, keepdim=True) / (A.sum(axes, keepdim=True) + 1e-7)


def hirescam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """HiResCAM: every element has its own weight, w = G (Draelos and Carin 2020, eq. 7)."""
    return G


def gradcam_elementwise(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Element-wise Grad-CAM: w = G where G A is positive, so that the map is sum_k relu(G_k A_k).

    (Pillai and Pirsiavash 2021, section 3.)
    """
    return G * (G * A > 0)


def layercam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """LayerCAM: w = relu(G), element by element (Jiang et al. 2021, eq. 6)."""
    return G.clamp(min=0)


def shapleycam(A: Tensor, G: Tensor, HA: Tensor, axes: Axes) -> Tensor:
    """ShapleyCAM: w_k = mean of G_k - (H A)_k / 2, H the score's Hessian (Cai 2025, eq. 12)."""
    return (G - HA / 2).mean(axes, keepdim=True)


def fem(A: Tensor, axes: Axes) -> Tensor:
    """FEM: w_k = the share of A_k above its mean by two standard deviations (Fuad et al. 2020)."""
    threshold = A.mean(axes, keepdim=True) + 2 * A.std(axes, correction=0, keepdim=True)
    return (threshold < A).to(A.dtype).mean(axes, keepdim=True)


def given(A: Tensor, weights: Tensor, axes: Axes) -> Tensor:
    """Weights (N, K) that were found elsewhere: by re-scoring, or read off the network's head."""
    return weights[:, :, None, None, None].to(A.dtype)


def eigencam(A: Tensor, axes: Axes) -> Tensor:
    """Eigen-CAM projects the activations themselves (Muhammad and Yeasin 2020, eq. 3)."""
    return A


def eigengradcam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Eigen-Grad-CAM projects the activations times their gradient."""
    return G * A


def fullgrad(A: Tensor, F: Tensor, axes: Axes) -> Tensor:
    """FullGrad: ``F`` (N, 1, T', H', W') is the map itself (Srinivas and Fleuret 2019, eq. 8)."""
    return F


@dataclass(frozen=True)
class Method:
    """A row of the table.

    formula: (A, *needs, axes) -> what ``gives`` says: "weights" for A's channels, "features"
    (N, K, T', H', W') whose first principal component is the map, or "terms" whose sum over the
    channels is. needs: what it takes besides A, by the names of ``evidence.EVIDENCE``.
    """

    formula: Callable[..., Tensor]
    needs: tuple[str, ...] = ("gradient",)
    gives: str = "weights"


METHODS: dict[str, Method] = {
    "gradcam": Method(gradcam),
    "gradcam++": Method(gradcam_plus_plus),
    "xgradcam": Method(xgradcam),
    "hirescam": Method(hirescam),
    "gradcam-elementwise": Method(gradcam_elementwise),
    "layercam": Method(layercam),
    "eigencam": Method(eigencam, needs=(), gives="features"),
    "eigengradcam": Method(eigengradcam, gives="features"),
    "ablationcam": Method(given, needs=("ablation",)),
    "scorecam": Method(given, needs=("masking",)),
    "fullgrad": Method(fullgrad, needs=("full_gradient",), gives="terms"),
    "finercam": Method(gradcam, needs=("finer_gradient",)),
    "shapleycam": Method(shapleycam, needs=("gradient", "hessian_product")),
    "fem": Method(fem, needs=()),
    "cam": Method(given, needs=("head",)),
    "smoothgradcam++": Method(smoothgradcam_plus_plus, needs=("smooth_gradients",)),
}

# Those that are weights from activations and a gradient alone.
GRADIENT_METHODS: dict[str, Callable[[Tensor, Tensor, Axes], Tensor]] = {
    name: row.formula
    for name, row in METHODS.items()
    if row.needs == ("gradient",) and row.gives == "weights"
}


def needs_of(methods: Sequence[str]) -> set[str]:
    """Everything these methods take besides the activations."""
    return {need for method in methods for need in METHODS[method].needs}


def signed_map(
    method: str, A: Tensor, needed: Sequence[Tensor], axes: Axes, eigen_smooth: bool = False
) -> Tensor:
    """The map of a method, signed (N, T', H', W'); ``needed`` in the order of its row.

    ``eigen_smooth`` takes the first principal component of w_k A_k in the place of its sum.
    """
    row = METHODS[method]
    result = row.formula(A, *needed, axes)
    terms = result * A if row.gives == "weights" else result
    if row.gives == "features" or (eigen_smooth and row.gives == "weights"):
        return principal_component(terms)
    return terms.sum(1)


def principal_component(features: Tensor) -> Tensor:
    """Projection of centred features (N, K, T', H', W') on their first principal axis.

    Its sign, which is arbitrary in a decomposition, is the one that goes with the features' sum
    over the channels. The smaller of the two Gram matrices is decomposed, K x K or positions x
    positions, so that a large layer builds no large matrix.
    """
    grid = features.shape[2:]
    X = features.nan_to_num(nan=0.0).flatten(2).double()  # (N, K, positions)
    mass = X.sum(1)
    X = X - X.mean(2, keepdim=True)
    if X.shape[1] <= X.shape[2]:
        axis = torch.linalg.eigh(X @ X.mT).eigenvectors[:, :, -1:]  # (N, K, 1)
        projection = (axis.mT @ X)[:, 0]
    else:
        values, vectors = torch.linalg.eigh(X.mT @ X)
        projection = vectors[:, :, -1] * values[:, -1:].clamp(min=0).sqrt()
    sign = torch.where((projection * mass).sum(1, keepdim=True) < 0, -1.0, 1.0)
    return (projection * sign).reshape(-1, *grid).to(features.dtype)
