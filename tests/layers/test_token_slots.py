"""Which token each key is made of, for keys in any order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from video_cam.layers.token_slots import NONE, SEVERAL, slot_of_tokens, tokens_of_slots


def leaf(tokens: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, tokens, 6, generator=generator).to(dtype).requires_grad_()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_any_order_is_read_exactly(dtype: torch.dtype) -> None:
    """700 tokens in 7 parts of 100, as windows of a clip."""
    tokens = leaf(700, dtype)
    order = torch.randperm(700, generator=torch.Generator().manual_seed(0))
    values = (tokens.tanh() * 2)[0, order].unflatten(0, (7, 100))
    assert torch.equal(tokens_of_slots(tokens, 2, values), order)


def test_a_class_token_of_every_frame_is_one_token() -> None:
    """Copies of token 0 in front of 3 frames of 4 tokens, and an empty slot behind them."""
    tokens = leaf(13)
    copies = tokens[:, :1].expand(3, 1, 6)
    frames = tokens[0, 1:].unflatten(0, (4, 3)).transpose(0, 1)  # place by place
    values = torch.cat([copies, frames, torch.zeros(3, 1, 6)], 1)
    expected = [[0, 1 + t, 4 + t, 7 + t, 10 + t, NONE] for t in range(3)]
    assert tokens_of_slots(tokens, 2, values).reshape(3, 6).tolist() == expected


def test_keys_of_several_tokens_are_refused() -> None:
    tokens = leaf(12)
    assert tokens_of_slots(tokens, 2, tokens.unflatten(1, (6, 2)).mean(2)) is None
    overlapping = (tokens + tokens.roll(1, 1))[:, 1::2]
    assert tokens_of_slots(tokens, 2, overlapping) is None


def test_tokens_that_are_merged_know_their_slot() -> None:
    tokens = leaf(12)
    merged = tokens.unflatten(1, (6, 2))[:, :5].flatten(2)
    expected = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, NONE, NONE]
    assert slot_of_tokens(tokens, 2, merged).tolist() == expected
    assert set(slot_of_tokens(tokens, 2, tokens + tokens.mean(1, True)).tolist()) == {SEVERAL}
