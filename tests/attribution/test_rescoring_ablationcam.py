"""Ablation-CAM against loops over full forward passes, and against a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.video import r3d_18

from tests.support.networks import Nonlinear, PoolLinear, clip, seeded
from tests.support.replay_networks import Folded, Residual, Tokens, eval_network
from tests.support.rescoring import (
    WithConstantChannels,
    ablation_weights,
    naive_ablation,
    output_of,
    row_counts,
    score_of,
    score_without,
    scores_of,
)
from video_cam import UsageError


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        (PoolLinear, "conv1"),
        (PoolLinear, "conv2"),
        *[(Nonlinear, name) for name in ("layer1", "layer2", "layer2.1", "layer3")],
        *[(Residual, name) for name in ("layer1", "layer2", "layer3", "layer1.1.conv2")],
        (Folded, "layer"),
    ],
)
@pytest.mark.parametrize("batch_size", [2, 16])
def test_weights_equal_a_loop_over_full_passes(
    build: type[nn.Module], layer: str, batch_size: int
) -> None:
    network, x, class_ids = eval_network(build), clip(), [3, 1]

    def unpack(output: Tensor) -> Tensor:
        if output.ndim == 4:  # four frames of each sample
            output = output.unflatten(0, (-1, 4)).transpose(1, 2)
        return output

    weights = ablation_weights(
        network, x, layer, scores_of(class_ids), unpack=unpack, batch_size=batch_size
    )
    expected = naive_ablation(network, x, layer, class_ids)
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-10, atol=1e-12)
    assert np.abs(expected).max() > 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_before_a_pool_and_linear_head_the_weights_have_a_closed_form(seed: int) -> None:
    network, x, class_id = seeded(PoolLinear, seed).eval(), clip(seed), 2
    A = output_of(network, x, "relu")
    with torch.no_grad():
        y = network(x)[:, class_id, None]
        expected = network.fc.weight[class_id] * A.mean((2, 3, 4)) / y
    weights = ablation_weights(network, x, "relu", score_of(class_id))
    torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-12)


def test_r3d_18() -> None:
    network = seeded(r3d_18).eval().float()
    x = clip(batch=1, size=(4, 32, 32)).float()
    weights = ablation_weights(network, x, "layer4.0.conv1", score_of(7), batch_size=64)
    assert weights.shape == (1, 512)
    with torch.no_grad():
        y = network(x)[0, 7].item()
    for k in (0, 100, 511):
        expected = (y - score_without(network, x, "layer4.0.conv1", k, 7)) / y
        assert weights[0, k].item() == pytest.approx(expected, abs=2e-5)


def test_tokens_that_unpack_leaves_out_are_not_ablated() -> None:
    network, x = eval_network(Tokens), clip()

    def unpack(tokens: Tensor) -> Tensor:  # (N, 1 + T' H' W', K), the class token first
        return tokens[:, 1:].unflatten(1, (2, 3, 2)).movedim(-1, 1)

    weights = ablation_weights(network, x, "blocks.0", score_of(0), unpack=unpack)
    tokens = output_of(network, x, "blocks.0")
    for n in range(2):
        for k in range(8):
            ablated = tokens[n : n + 1].clone()
            ablated[:, 1:, k] = 0
            with torch.no_grad():
                y, y_k = (
                    network.fc(network.blocks[1](t)[:, 0])[0, 0].item()
                    for t in (tokens[n : n + 1], ablated)
                )
            assert weights[n, k].item() == pytest.approx((y - y_k) / y, rel=1e-9)


def test_a_score_of_zero_gives_weights_of_zero() -> None:
    network = eval_network(PoolLinear)
    weights = ablation_weights(network, clip(), "conv2", lambda outputs, _: outputs[:, 0] * 0)
    assert torch.equal(weights, torch.zeros(2, 5, dtype=torch.float64))


def test_a_channel_of_zeros_is_not_ablated() -> None:
    network, x = eval_network(WithConstantChannels), clip()
    rows = row_counts(network, "fc")
    weights = ablation_weights(network, x, "changed", score_of(0))
    assert rows == [2, 4, 4]  # one pass of both samples, then four of five channels each
    assert weights[:, 1].tolist() == [0, 0]
    expected = naive_ablation(network, x, "changed", [0, 0])
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-10, atol=1e-14)


def test_an_unpack_that_computes_is_refused() -> None:
    with pytest.raises(UsageError, match="only move elements"):
        ablation_weights(
            eval_network(Residual), clip(), "layer2", score_of(0), unpack=lambda output: output * 2
        )
