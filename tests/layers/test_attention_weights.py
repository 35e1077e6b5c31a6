"""Weights of attention that PyTorch's kernels do not give out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from video_cam.layers import attention_weights
from video_cam.layers.attention_weights import from_sdpa

SHAPE = (2, 3, 7, 5)  # samples, heads, queries and keys, width


def tensors(keys: int = 7) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (SHAPE, (2, 3, keys, 5), (2, 3, keys, 5))
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def float_mask() -> Tensor:
    return torch.randn(2, 1, 7, 7, generator=torch.Generator().manual_seed(1)).double()


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"is_causal": True},
    "hidden keys": {"attn_mask": torch.arange(7)[None] < 4},
    "added mask": {"attn_mask": float_mask(), "scale": 0.3},
}


@pytest.mark.parametrize("cached", [1, 10**6])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_weights_times_values_is_the_output(options, cached, monkeypatch) -> None:
    """With identity matrices as values the output is the weights themselves."""
    monkeypatch.setattr(attention_weights, "_CACHED", cached)
    monkeypatch.setattr(attention_weights, "_MIN_ROWS", 2)
    query, key, _ = tensors()
    value = torch.eye(7, dtype=torch.float64).expand(2, 3, 7, 7)
    output = F.scaled_dot_product_attention(query, key, value, **options)
    call = from_sdpa((query, key, value), options, output, None)
    torch.testing.assert_close(call.mean_weights(), output.mean(1))
    parts = [*call.row_parts()]
    assert sum(one.stop - one.start for one in parts) == 7 and (cached > 1) == (len(parts) == 1)


def test_gradients_of_the_weights_are_autograds() -> None:
    query, key, value = tensors(keys=4)
    weights = (query @ key.mT).softmax(-1).requires_grad_()
    output = weights @ value
    score = output.square().sum()
    expected, of_output = torch.autograd.grad(score, [weights, output])
    call = from_sdpa((query, key, value), {"scale": 1.0}, output, None)
    gradients = call.weight_gradients(of_output)
    found = torch.stack([gradients(head, slice(0, 7)) for head in range(3)], 1)
    torch.testing.assert_close(found, expected)


def test_grouped_queries_share_keys_and_values() -> None:
    query, key, value = tensors()
    key, value = key[:, :1], value[:, :1]
    output = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    call = from_sdpa((query, key, value), {"enable_gqa": True}, output, None)
    expected = (query @ key.mT / 5**0.5).softmax(-1).mean(1)
    torch.testing.assert_close(call.mean_weights(), expected)
