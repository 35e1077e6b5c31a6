"""Each formula against a loop over samples and channels, and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.networks import Nonlinear, PoolLinear, clip, seeded
from video_cam.capture import capture
from video_cam.methods import GRADIENT_METHODS, POOLING, activation_map

SEEDS = (0, 1, 2)


def brute_force(method: str, A: np.ndarray, G: np.ndarray) -> np.ndarray:
    """The map of one sample, (K, T, H, W) -> (T, H, W), element by element from the papers."""
    cam = np.zeros(A.shape[1:])
    for k in range(A.shape[0]):
        for cell in np.ndindex(A.shape[1:]):
            a, g = A[k][cell], G[k][cell]
            if method == "gradcam":
                weight = G[k].sum() / G[k].size
            elif method == "gradcam++":
                weight = 0.0
                for other in np.ndindex(A.shape[1:]):
                    h = G[k][other]
                    if h > 0:
                        weight += h * h**2 / (2 * h**2 + A[k].sum() * h**3 + 1e-6)
            elif method == "hirescam":
                weight = g
            elif method == "layercam":
                weight = max(g, 0.0)
            else:
                raise AssertionError(f"no reference for {method}: write one")
            cam[cell] += weight * a
    return cam


def activations_and_gradients(network, x, layer, class_id):
    with capture(network, [layer]) as captured:
        score = network(x)[:, class_id].sum()
        return captured.activations[layer].detach(), captured.gradients(score)[layer]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_every_method_equals_its_papers_formula(method: str, seed: int) -> None:
    network = seeded(Nonlinear, seed)
    A, G = activations_and_gradients(network, clip(seed, size=(4, 6, 6)), "layer2", 1)
    cam = activation_map(GRADIENT_METHODS[method](A, G, POOLING["clip"]), A)
    for sample in range(len(A)):
        expected = brute_force(method, A[sample].numpy(), G[sample].numpy())
        np.testing.assert_allclose(cam[sample].numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_pooling_per_frame_is_the_method_on_each_frame_by_itself(method: str) -> None:
    network = seeded(Nonlinear)
    A, G = activations_and_gradients(network, clip(), "layer2", 2)
    cam = activation_map(GRADIENT_METHODS[method](A, G, POOLING["frame"]), A)
    for t in range(A.shape[2]):
        a, g = A[:, :, t : t + 1], G[:, :, t : t + 1]
        alone = activation_map(GRADIENT_METHODS[method](a, g, POOLING["clip"]), a)
        torch.testing.assert_close(cam[:, t : t + 1], alone, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_closed_forms_of_a_pool_and_linear_head(seed: int) -> None:
    network = seeded(PoolLinear, seed)
    x, class_id = clip(seed), 3
    A, G = activations_and_gradients(network, x, "relu", class_id)
    head = network.fc.weight[class_id].detach()
    n = A[0, 0].numel()
    w = (head / n)[None, :, None, None, None].expand(len(A), -1, 1, 1, 1)
    total = A.sum((2, 3, 4), keepdim=True)

    def weights(method: str):
        return GRADIENT_METHODS[method](A, G, POOLING["clip"])

    close = {"rtol": 1e-5, "atol": 1e-12}
    torch.testing.assert_close(weights("gradcam"), w, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(weights("hirescam"), w.expand_as(A), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(weights("layercam"), w.expand_as(A).clamp(min=0), **close)
    # The paper's form; 1e-6 in the denominator is what it costs to never divide by zero.
    plus_plus = n * w.clamp(min=0) * w**2 / (2 * w**2 + total * w**3 + 1e-6)
    torch.testing.assert_close(weights("gradcam++"), plus_plus, **close)


@pytest.mark.parametrize("seed", SEEDS)
def test_hirescam_is_complete_for_a_linear_head(seed: int) -> None:
    network = seeded(PoolLinear, seed)
    x = clip(seed)
    A, G = activations_and_gradients(network, x, "relu", 0)
    contributions = activation_map(GRADIENT_METHODS["hirescam"](A, G, POOLING["clip"]), A)
    logits = network.eval()(x)[:, 0]
    torch.testing.assert_close(contributions.sum((1, 2, 3)) + network.fc.bias[0], logits)
