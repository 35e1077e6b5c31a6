"""Each method against a loop over samples, channels and cells, and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from video_cam import compute_cams
from video_cam.attribution.cam_methods import (
    GRADIENT_METHODS,
    METHODS,
    POOLING,
    principal_component,
)
from video_cam.layers.hooks import capture

SEEDS = (0, 1, 2)
CLASS_ID = 1
LAYER = "layer2"
ARITHMETIC = {"align": "receptive-field"}  # where positions do not matter: no pass to measure them


def activations_and_gradients(
    network: nn.Module, x: Tensor, layer: str, class_id: int = CLASS_ID
) -> tuple[Tensor, Tensor]:
    with capture(network, [layer]) as captured:
        score = network(x)[:, class_id].sum()
        return captured.activations[layer].detach(), captured.gradients(score)[layer]


def scores_from(network: nn.Module, A: Tensor) -> Tensor:
    """The part of Nonlinear that follows LAYER."""
    return network.fc(network.layer3(A).tanh().mean((2, 3, 4)))


# ------------------------------------------------ one reference per method, written as loops


def weight_of_channel(method: str, A: np.ndarray, G: np.ndarray, k: int) -> float:
    a, g = A[k], G[k]
    if method == "gradcam":
        return g.sum() / g.size
    if method == "xgradcam":
        return sum(g[cell] * a[cell] for cell in np.ndindex(a.shape)) / (a.sum() + 1e-7)
    if method == "gradcam++":
        weight = 0.0
        for cell in np.ndindex(a.shape):
            h = g[cell]
            weight += max(h, 0) * h**2 / (2 * h**2 + a.sum() * h**3 + 1e-6)
        return weight
    if method == "fem":
        threshold = a.mean() + 2 * np.sqrt(((a - a.mean()) ** 2).mean())
        return sum(a[cell] > threshold for cell in np.ndindex(a.shape)) / a.size
    raise KeyError(method)


def element(method: str, a: float, g: float) -> float:
    return {
        "hirescam": g * a,
        "gradcam-elementwise": max(g * a, 0.0),
        "layercam": max(g, 0.0) * a,
    }[method]


def projected(features: np.ndarray) -> np.ndarray:
    """By singular values of the centred (positions, channels) matrix."""
    X = features.reshape(len(features), -1).T
    total = X.sum(1)
    X = X - X.mean(0)
    _, _, V = np.linalg.svd(X, full_matrices=False)
    found = X @ V[0]
    return (found if found @ total >= 0 else -found).reshape(features.shape[1:])


def reference(method: str, network: nn.Module, x: Tensor) -> np.ndarray:
    """The map (N, T', H', W') of CLASS_ID and LAYER, by definitions and loops."""
    A, G = (t.numpy() for t in activations_and_gradients(network, x, LAYER))
    if method in ("gradcam", "xgradcam", "gradcam++", "fem"):
        return np.array(
            [
                sum(weight_of_channel(method, a, g, k) * a[k] for k in range(len(a)))
                for a, g in zip(A, G, strict=True)
            ]
        )
    if method in ("hirescam", "gradcam-elementwise", "layercam"):
        cam = np.zeros((len(A), *A.shape[2:]))
        for n, k, *cell in np.ndindex(A.shape):
            cam[(n, *cell)] += element(method, A[(n, k, *cell)], G[(n, k, *cell)])
        return cam
    if method == "eigencam":
        return np.array([projected(a) for a in A])
    if method == "eigengradcam":
        return np.array([projected(a * g) for a, g in zip(A, G, strict=True)])
    return BY_DEFINITION[method](network, x, torch.from_numpy(A))


def ablation_reference(network: nn.Module, x: Tensor, A: Tensor) -> np.ndarray:
    y = scores_from(network, A)[:, CLASS_ID]
    cam = torch.zeros(len(A), *A.shape[2:], dtype=A.dtype)
    for k in range(A.shape[1]):
        without = A.clone()
        without[:, k] = 0
        weight = (y - scores_from(network, without)[:, CLASS_ID]) / y
        cam += weight[:, None, None, None] * A[:, k]
    return cam.detach().numpy()


def score_reference(network: nn.Module, x: Tensor, A: Tensor) -> np.ndarray:
    masks = nn.functional.interpolate(A, size=x.shape[2:], mode="trilinear", align_corners=True)
    scores = torch.zeros(A.shape[:2], dtype=A.dtype)
    for n in range(len(A)):
        for k in range(A.shape[1]):
            mask = masks[n, k]
            mask = (mask - mask.min()) / (mask.max() - mask.min() + 1e-8)
            scores[n, k] = network((x[n] * mask)[None])[0, CLASS_ID]
    return (scores.softmax(1)[:, :, None, None, None] * A).sum(1).detach().numpy()


def finer_reference(network: nn.Module, x: Tensor, A: Tensor) -> np.ndarray:
    maps = []
    for a in A:
        a = a[None].clone().requires_grad_()
        y = scores_from(network, a)[0]
        gaps = [(abs(float((y[d] - y[CLASS_ID]).detach())), d) for d in range(4) if d != CLASS_ID]
        p = y.softmax(0)
        similar = [d for _, d in sorted(gaps)[:3]]
        total = sum(p[d] for d in similar) + 1e-9
        score = sum(p[d] * (y[CLASS_ID] - y[d]) for d in similar) / total
        (g,) = torch.autograd.grad(score, a)
        maps.append((g.mean((2, 3, 4), keepdim=True) * a).sum(1)[0].detach().numpy())
    return np.array(maps)


def shapley_reference(network: nn.Module, x: Tensor, A: Tensor) -> np.ndarray:
    maps = []
    for a in A:
        flat = a.flatten()

        def score(values: Tensor, shape: torch.Size = a.shape) -> Tensor:
            return scores_from(network, values.reshape(1, *shape))[0, CLASS_ID]

        g = torch.autograd.functional.jacobian(score, flat)
        hessian = torch.autograd.functional.hessian(score, flat)
        w = (g - hessian @ flat / 2).reshape(a.shape).mean((1, 2, 3), keepdim=True)
        maps.append((w * a).sum(0).detach().numpy())
    return np.array(maps)


def smooth_reference(network: nn.Module, x: Tensor, A: Tensor) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    spread = torch.stack([0.15 * (sample.max() - sample.min()) for sample in x])
    powers = [torch.zeros_like(A) for _ in range(3)]
    for _ in range(8):
        noise = torch.randn(x.shape[1:], generator=generator, dtype=x.dtype)
        noisy = torch.stack([sample + s * noise for sample, s in zip(x, spread, strict=True)])
        _, G = activations_and_gradients(network, noisy, LAYER)
        powers = [total + G**p / 8 for p, total in zip((1, 2, 3), powers, strict=True)]
    D1, D2, D3 = powers
    axes = (2, 3, 4)
    alpha = D2 / (2 * D2 + A.sum(axes, keepdim=True) * D3 + 1e-6)
    w = (alpha * D1.clamp(min=0)).sum(axes, keepdim=True)
    return (w * A).sum(1).numpy()


BY_DEFINITION = {
    "ablationcam": ablation_reference,
    "scorecam": score_reference,
    "finercam": finer_reference,
    "shapleycam": shapley_reference,
    "smoothgradcam++": smooth_reference,
}
# cam has a closed form, below; fullgrad has test_full_gradient.py.
OTHER_TESTS = {"cam", "fullgrad"}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("method", sorted(set(METHODS) - OTHER_TESTS))
def test_every_method_equals_its_papers_formula(method: str, seed: int) -> None:
    network = seeded(Nonlinear, seed).eval()
    x = clip(seed, size=(4, 6, 6))
    [cam] = compute_cams(
        network, x, layers=[LAYER], methods=[method], targets=[CLASS_ID], **ARITHMETIC
    )
    np.testing.assert_allclose(cam.values, reference(method, network, x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_pooling_per_frame_is_the_method_on_each_single_frame(method: str) -> None:
    A, G = activations_and_gradients(seeded(Nonlinear), clip(), LAYER)
    formula = GRADIENT_METHODS[method]
    weights = formula(A, G, POOLING["frame"])
    for t in range(A.shape[2]):
        alone = formula(A[:, :, t : t + 1], G[:, :, t : t + 1], POOLING["clip"])
        torch.testing.assert_close(weights[:, :, t : t + 1], alone, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_closed_forms_of_a_pool_and_linear_head(seed: int) -> None:
    network, x, class_id = seeded(PoolLinear, seed), clip(seed), 3
    A, G = activations_and_gradients(network, x, "relu", class_id)
    W = network.fc.weight[class_id].detach()
    n = A[0, 0].numel()
    w = (W / n)[None, :, None, None, None].expand(len(A), -1, 1, 1, 1)
    total = A.sum((2, 3, 4), keepdim=True)

    def weights(method: str) -> Tensor:
        return GRADIENT_METHODS[method](A, G, POOLING["clip"])

    torch.testing.assert_close(weights("gradcam"), w, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(weights("hirescam"), w.expand_as(A), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(weights("layercam"), w.expand_as(A).clamp(min=0))
    torch.testing.assert_close(weights("xgradcam"), w * total / (total + 1e-7))
    plus_plus = n * w.clamp(min=0) * w**2 / (2 * w**2 + total * w**3 + 1e-6)
    torch.testing.assert_close(weights("gradcam++"), plus_plus)


@pytest.mark.parametrize("seed", SEEDS)
def test_maps_of_a_pool_and_linear_head_are_multiples_of_one_another(seed: int) -> None:
    network, x, class_id = seeded(PoolLinear, seed).eval(), clip(seed), 3
    names = ["cam", "gradcam", "hirescam", "shapleycam", "ablationcam"]
    maps = compute_cams(
        network, x, layers=["relu"], methods=names, targets=[class_id], **ARITHMETIC
    )
    by_name = {cam.method: cam.values for cam in maps}
    n = by_name["cam"][0].numel()
    for name in ("gradcam", "hirescam", "shapleycam"):  # no curvature: H A = 0
        torch.testing.assert_close(by_name[name] * n, by_name["cam"], rtol=1e-4, atol=1e-6)
    # Ablating channel k lowers y by W_k mean(A_k).
    A, _ = activations_and_gradients(network, x, "relu", class_id)
    y = network(x)[:, class_id, None]
    w = network.fc.weight[class_id] * A.mean((2, 3, 4)) / y
    expected = (w[:, :, None, None, None] * A).sum(1).float()
    torch.testing.assert_close(by_name["ablationcam"], expected.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_hirescam_is_complete_for_a_linear_head(seed: int) -> None:
    network, x = seeded(PoolLinear, seed).eval(), clip(seed)
    [cam] = compute_cams(
        network, x, layers=["relu"], methods=["hirescam"], targets=[0], **ARITHMETIC
    )
    logits = network(x)[:, 0].float()
    torch.testing.assert_close(
        cam.values.sum((1, 2, 3)) + network.fc.bias[0].float(), logits, rtol=1e-5, atol=1e-5
    )


def test_eigen_smooth_projects_the_weighted_activations() -> None:
    network, x = seeded(Nonlinear), clip()
    A, G = activations_and_gradients(network, x, LAYER)
    for method in ("gradcam", "layercam"):
        [cam] = compute_cams(
            network,
            x,
            layers=[LAYER],
            methods=[method],
            targets=[CLASS_ID],
            eigen_smooth=True,
            **ARITHMETIC,
        )
        terms = (GRADIENT_METHODS[method](A, G, POOLING["clip"]) * A).numpy()
        expected = np.array([projected(sample) for sample in terms])
        np.testing.assert_allclose(cam.values, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 4, 5, 5), (40, 2, 3, 3)], ids=["wide grid", "many channels"])
def test_principal_component_by_either_gram_matrix(shape: tuple[int, ...]) -> None:
    features = np.random.default_rng(0).normal(size=(3, *shape)) + 0.3
    found = principal_component(torch.from_numpy(features)).numpy()
    for sample, expected in zip(found, features, strict=True):
        np.testing.assert_allclose(sample, projected(expected), rtol=1e-7, atol=1e-9)


def test_principal_component_of_a_large_layer_builds_no_large_matrix() -> None:
    features = torch.randn(1, 8, 16, 128, 128)  # 262,144 positions: N x N would be 512 GiB
    assert principal_component(features).shape == (1, 16, 128, 128)


def test_principal_component_of_zeros_is_zero() -> None:
    assert principal_component(torch.zeros(2, 3, 2, 2, 2)).abs().max() == 0


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_2d_network_equals_a_3d_one_with_flat_kernels(method: str) -> None:
    """(1, k, k) kernels at T = 1 compute the same as k x k kernels."""

    class Flat(nn.Module):
        def __init__(self, conv: type, pool_axes: tuple[int, ...]) -> None:
            super().__init__()
            kernel, padding = ((3, 3), (1, 1)) if conv is nn.Conv2d else ((1, 3, 3), (0, 1, 1))
            self.layer1 = conv(
                3, 4, kernel, padding=padding, stride=2 if conv is nn.Conv2d else (1, 2, 2)
            )
            self.layer2 = nn.Sequential(nn.ReLU(), conv(4, 5, kernel, padding=padding))
            self.fc = nn.Linear(5, 4)
            self.pool_axes = pool_axes

        def forward(self, x: Tensor) -> Tensor:
            x = self.layer2(self.layer1(x).relu())
            x = x if method == "cam" else x.tanh()
            return self.fc(x.mean(self.pool_axes))

    flat, deep = (
        seeded(Flat, conv=nn.Conv2d, pool_axes=(2, 3)),
        seeded(Flat, conv=nn.Conv3d, pool_axes=(2, 3, 4)),
    )
    deep.load_state_dict(
        {k: v.unsqueeze(2) if v.ndim == 4 else v for k, v in flat.state_dict().items()}
    )
    x = clip(size=(1, 12, 10))
    # fullgrad depends on the positions of cells, and images are never measured.
    options = {"layers": ["layer2"], "methods": [method], "targets": [CLASS_ID], **ARITHMETIC}
    if method == "smoothgradcam++":
        options["methods"] = ["gradcam++"]  # the noise differs with the number of axes
    [a] = compute_cams(flat, x[:, :, 0], **options)
    [b] = compute_cams(deep, x, **options)
    torch.testing.assert_close(a.values, b.values, rtol=1e-5, atol=1e-7)
