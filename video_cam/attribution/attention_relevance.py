"""Formulas of attention methods: relevance of tokens, and how it goes back through one attention.

Relevance r (N, S) of a sample's S tokens is a row of the papers' matrices R (S, S), the one that
the scores read. So a product of matrices becomes products of a row with one matrix after another,
from the last attention to the first, and no (S, S) product is made.

``weights`` (N x parts, queries, keys) are means over heads. Attention between frames, between
places or within windows is the same as that between all tokens with 0 for all other pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from video_cam.layers.attention_structure import Attention, AttentionStructure, Stage
from video_cam.layers.attention_weights import AttentionCall


def read_tokens(structure: AttentionStructure, samples: int) -> Tensor:
    """The row that the scores read: evenly spread over the tokens they depend on, (N, S)."""
    read = structure.read.double()
    return (read / read.sum().clamp(min=1)).expand(samples, -1)


def rolled_out(r: Tensor, weights: Tensor, attention: Attention) -> Tensor:
    """r (A + I) / 2, with I alone for tokens that do not attend (Abnar and Zuidema 2020, eq. 1).

    Args:
        r: relevance (N, S) of the tokens behind the attention.
        weights: A.
        attention: which token each query and key is.
    """
    return torch.where(attention.attends, r / 2, r) + through_attention(r, weights, attention) / 2


def added(r: Tensor, weights: Tensor, attention: Attention) -> Tensor:
    """r + r A, A the mean over heads of (dA * A)^+ (Chefer et al. 2021, eqs. 5 and 6)."""
    return r + through_attention(r, weights, attention)


def pooled(weights: Tensor, attention: Attention, tokens: int) -> Tensor:
    """Relevance (N, S) of the tokens that a query of its own pools; several queries count alike."""
    parts, queries, _ = weights.shape
    share = weights.new_ones(parts // attention.parts, attention.parts * queries).double()
    return _onto_keys(share / share.shape[1], weights, attention, tokens)


def through_attention(r: Tensor, weights: Tensor, attention: Attention) -> Tensor:
    """r A, (N, S). A token with several queries, as one for each frame, counts their mean."""
    assert attention.queries is not None
    of_queries = _at(r, attention.queries) * attention.share
    return _onto_keys(of_queries, weights, attention, r.shape[1])


def weighted_gradient(call: AttentionCall, output_gradient: Tensor) -> Tensor:
    """The mean over heads of (dA * A)^+, (N x parts, queries, keys)."""
    found = torch.zeros(call.shape, dtype=precise(output_gradient), device=output_gradient.device)
    gradients, weights = call.weight_gradients(output_gradient), call.weights()
    for rows in call.row_parts():
        for head in range(call.heads):
            found[:, rows] += gradients(head, rows).mul_(weights(head, rows)).clamp_(min=0)
    return found.div_(call.heads)


def positive_gradient(
    call: AttentionCall, output_gradient: Tensor, attention: Attention, stage: Stage
) -> Tensor:
    """LeGrad's map of one attention, (N, S): the mean of dA^+ over heads and queries.

    Bousselham et al. 2024, eq. 7. A query that a key is not attended by counts as 0.
    """
    samples, _, keys = call.shape
    found = torch.zeros(
        samples, keys, dtype=precise(output_gradient), device=output_gradient.device
    )
    gradients = call.weight_gradients(output_gradient)
    for rows in call.row_parts():
        for head in range(call.heads):
            found += gradients(head, rows).clamp_(min=0).sum(1)
    of_keys = found.reshape(-1, attention.keys.numel()) / (call.heads * stage.tokens)
    return _sum_by_token(of_keys, attention.keys, stage.tokens)


def precise(tensor: Tensor) -> torch.dtype:
    """The dtype for sums of these numbers."""
    return torch.promote_types(tensor.dtype, torch.float32)


def before_stage(r: Tensor, stage: Stage) -> Tensor:
    """Relevance of a stage's tokens from that of the next stage's; each one's is spread evenly."""
    assert stage.feeds is not None and stage.share is not None
    return _at(r, stage.feeds) * stage.share


def _at(r: Tensor, indices: Tensor) -> Tensor:
    """r (N, S) at tokens, 0 at index S."""
    return F.pad(r, (0, 1))[:, indices]


def _onto_keys(of_queries: Tensor, weights: Tensor, attention: Attention, tokens: int) -> Tensor:
    rows = of_queries.reshape(-1, 1, weights.shape[1])  # (N x parts, 1, queries)
    of_keys = (rows.to(weights) @ weights).to(of_queries).reshape(-1, attention.keys.numel())
    return _sum_by_token(of_keys, attention.keys, tokens)


def _sum_by_token(of_keys: Tensor, keys: Tensor, tokens: int) -> Tensor:
    found = of_keys.new_zeros(len(of_keys), tokens + 1)
    return found.index_add_(1, keys, of_keys)[:, :tokens]
