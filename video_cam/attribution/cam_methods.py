"""CAM formulas: pure functions of tensors, and the table of methods by name.

``A`` (N, K, T', H', W') are a layer's activations, ``G`` the gradient of the score with respect to
them, ``axes`` the pooled axes: time and space, or space only. A formula returns weights ``w`` that
broadcast against A; the map is ``sum_k w_k A_k``. Maps are signed: the ReLU of the papers follows
upsampling and blending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Axes = tuple[int, ...]

POOLING: dict[str, Axes] = {"clip": (2, 3, 4), "frame": (3, 4)}


def at_least_float32(tensor: Tensor) -> Tensor:
    """float32 for half precision, whose range is too small for sums and squares; else unchanged."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def gradcam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Grad-CAM: w_k = mean of G_k (Selvaraju et al. 2017, eq. 1)."""
    return G.mean(axes, keepdim=True)


def gradcam_plus_plus(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Grad-CAM++: w_k = sum of alpha relu(G_k) (Chattopadhay et al. 2018, eqs. 11 and 19).

    alpha = G^2 / (2 G^2 + (sum A_k) G^3), and 0 where G is 0. As in pytorch-grad-cam, 1e-6 is added
    to the denominator: for gradients below about 0.001 alpha becomes smaller.
    """
    return _plus_plus(A, G, G**2, G**3, axes)


def smoothgradcam_plus_plus(A: Tensor, D: Tensor, axes: Axes) -> Tensor:
    """Smooth Grad-CAM++: Grad-CAM++ with means over noisy inputs (Omeiza et al. 2019, eq. 6).

    ``D`` (3, N, K, T', H', W') are the means of G, G^2 and G^3.
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
    """HiResCAM: w = G, without pooling (Draelos and Carin 2020, eq. 7)."""
    return G


def gradcam_elementwise(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Element-wise Grad-CAM: w = G where G A > 0, else 0; the map is sum_k relu(G_k A_k).

    Pillai and Pirsiavash 2021, section 3.
    """
    return G * (G * A > 0)


def layercam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """LayerCAM: w = relu(G), without pooling (Jiang et al. 2021, eq. 6)."""
    return G.clamp(min=0)


def shapleycam(A: Tensor, G: Tensor, HA: Tensor, axes: Axes) -> Tensor:
    """ShapleyCAM: w_k = mean of G_k - (H A)_k / 2, H the score's Hessian (Cai 2025, eq. 12)."""
    return (G - HA / 2).mean(axes, keepdim=True)


def fem(A: Tensor, axes: Axes) -> Tensor:
    """FEM: w_k = fraction of A_k more than two standard deviations above its mean.

    Fuad et al. 2020.
    """
    threshold = A.mean(axes, keepdim=True) + 2 * A.std(axes, correction=0, keepdim=True)
    return (threshold < A).to(A.dtype).mean(axes, keepdim=True)


def precomputed(A: Tensor, weights: Tensor, axes: Axes) -> Tensor:
    """w = weights (N, K) computed before, from scores or from the network's linear head."""
    return weights[:, :, None, None, None].to(A.dtype)


def eigencam(A: Tensor, axes: Axes) -> Tensor:
    """Eigen-CAM: the projected features are the activations (Muhammad and Yeasin 2020, eq. 3)."""
    return A


def eigengradcam(A: Tensor, G: Tensor, axes: Axes) -> Tensor:
    """Eigen-Grad-CAM: the projected features are the activations times their gradient."""
    return G * A


def fullgrad(A: Tensor, F: Tensor, axes: Axes) -> Tensor:
    """FullGrad: ``F`` (N, 1, T, H, W) is the map itself (Srinivas and Fleuret 2019, eq. 8)."""
    return F


@dataclass(frozen=True)
class Method:
    """A row of the table of methods.

    Attributes:
        formula: called with (A, *needs, axes).
        needs: inputs besides A, by the names of the tables in ``method_inputs``.
        gives: the meaning of the formula's result: "weights" of A, "features" (N, K, T', H', W')
            whose first principal component is the map, or "terms" whose sum over channels is it.
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
    "ablationcam": Method(precomputed, needs=("ablation",)),
    "scorecam": Method(precomputed, needs=("masking",)),
    "fullgrad": Method(fullgrad, needs=("full_gradient",), gives="terms"),
    "finercam": Method(gradcam, needs=("finer_gradient",)),
    "shapleycam": Method(shapleycam, needs=("gradient", "hessian_product")),
    "fem": Method(fem, needs=()),
    "cam": Method(precomputed, needs=("head",)),
    "smoothgradcam++": Method(smoothgradcam_plus_plus, needs=("smooth_gradients",)),
}

# The methods whose weights follow from the activations and one gradient.
GRADIENT_METHODS: dict[str, Callable[[Tensor, Tensor, Axes], Tensor]] = {
    name: row.formula
    for name, row in METHODS.items()
    if row.needs == ("gradient",) and row.gives == "weights"
}


def needs_of(methods: Sequence[str]) -> set[str]:
    """The inputs besides the activations that these methods need."""
    return {need for method in methods for need in METHODS[method].needs}


def terms(method: str, A: Tensor, needed: Sequence[Tensor], axes: Axes) -> Tensor:
    """What a method's map is made of, by channel.

    Args:
        method: a key of METHODS.
        A: activations (N, K, T', H', W').
        needed: the method's other inputs, in the order of its row.
        axes: the pooled axes, of POOLING.

    Returns:
        (N, K, T', H', W'), of which the signed map is the sum over K, or the first principal
        component (see ``is_component``); for fullgrad (N, 1, T, H, W) on the input's grid.
    """
    row = METHODS[method]
    result = row.formula(A, *needed, axes)
    return result * A if row.gives == "weights" else result


def is_component(method: str, eigen_smooth: bool) -> bool:
    """Whether a method's map is the first principal component of its terms, and not their sum."""
    gives = METHODS[method].gives
    return gives == "features" or (eigen_smooth and gives == "weights")


def principal_component(features: Tensor) -> Tensor:
    """Projection of centred features on their first principal axis.

    The sign, which is arbitrary in a decomposition, is chosen so that the projection correlates
    with the sum of the features over channels. The smaller of the two Gram matrices is decomposed,
    K x K or positions x positions, so a large layer needs no large matrix.

    Args:
        features: (N, K, T', H', W').

    Returns:
        (N, T', H', W') in the dtype of ``features``.
    """
    grid = features.shape[2:]
    X = features.nan_to_num(nan=0.0).flatten(2).double()  # (N, K, positions)
    total = X.sum(1)
    X = X - X.mean(2, keepdim=True)
    if X.shape[1] <= X.shape[2]:
        axis = torch.linalg.eigh(X @ X.mT).eigenvectors[:, :, -1:]  # (N, K, 1)
        projection = (axis.mT @ X)[:, 0]
    else:
        values, vectors = torch.linalg.eigh(X.mT @ X)
        projection = vectors[:, :, -1] * values[:, -1:].clamp(min=0).sqrt()
    sign = torch.where((projection * total).sum(1, keepdim=True) < 0, -1.0, 1.0)
    return (projection * sign).reshape(-1, *grid).to(features.dtype)
