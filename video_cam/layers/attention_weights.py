"""The weights of one call of attention, head by head, without keeping all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

Heads = int | None
# Brings a tensor of a call to (B, heads, L, d).
Arrange = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AttentionCall:
    """One call: ``output = weights @ value``, for B samples, windows, frames or the like.

    Attributes:
        value: (B, heads, keys, d), part of the network's graph.
        query: (B, heads, queries, d); None where only the weights are known.
        output: as the network's code gets it.
        arrange: brings a tensor shaped as ``output`` to (B, heads, queries, d).
        of_head: the weights (B, queries, keys) of one head, without a graph.
    """

    value: Tensor
    query: Tensor | None
    output: Tensor
    arrange: Arrange
    of_head: Callable[[int], Tensor]

    @property
    def heads(self) -> int:
        """The number of heads."""
        return self.value.shape[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, queries, keys)."""
        rows = self.arrange(self.output)
        return rows.shape[0], rows.shape[2], self.value.shape[2]

    def mean_weights(self) -> Tensor:
        """The mean over heads of the weights, (B, queries, keys)."""
        total = self.of_head(0)
        for head in range(1, self.heads):
            total = total + self.of_head(head)
        return total / self.heads

    def weight_gradients(self, output_gradient: Tensor, head: int) -> Tensor:
        """The gradient with respect to the weights of a head, (B, queries, keys).

        Args:
            output_gradient: the gradient with respect to ``output``.
            head: number of the head.
        """
        rows = self.arrange(output_gradient.detach())[:, head]
        values = self.value.detach()[:, head]
        dtype = torch.promote_types(rows.dtype, torch.float32)
        return rows.to(dtype) @ values.to(dtype).mT


def from_sdpa(
    args: Sequence[Any], named: Mapping[str, Any], output: Tensor, heads: Heads
) -> AttentionCall:
    """A call of ``scaled_dot_product_attention`` with these arguments."""
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
    given = {**dict(zip(names, args, strict=False)), **named}
    arrange = partial(_arranged, heads=heads)
    query, key, value = (arrange(given[name]) for name in names[:3])
    if value.shape[1] != query.shape[1]:  # grouped queries
        groups = query.shape[1] // value.shape[1]
        key, value = (one.repeat_interleave(groups, 1) for one in (key, value))
    mask = given.get("attn_mask")
    if mask is not None:
        shape = (*given["query"].shape[:-1], given["key"].shape[-2])
        mask = arrange(mask.expand(shape))
    scale = given.get("scale")
    of_head = partial(
        _sdpa_weights,
        query.detach(),
        key.detach(),
        None if mask is None else mask.detach(),
        bool(given.get("is_causal", False)),
        query.shape[-1] ** -0.5 if scale is None else scale,
    )
    return AttentionCall(value, query, output, arrange, of_head)


def from_product(weights: Tensor, value: Tensor, output: Tensor, heads: Heads) -> AttentionCall:
    """Weights (..., queries, keys) that are multiplied with values (..., keys, d)."""
    arrange = partial(_arranged, heads=heads)
    known = arrange(weights.detach())
    return AttentionCall(
        arrange(value), None, output, arrange, lambda head: _precise(known[:, head])
    )


def from_einsum(args: Sequence[Any], output: Tensor, weights: Tensor) -> AttentionCall | None:
    """A call of ``einsum`` that sums values times weights over the keys; None for another one."""
    if not isinstance(args[0], str) or "->" not in args[0] or "." in args[0] or len(args) != 3:
        return None
    inputs, of_output = args[0].replace(" ", "").split("->")
    labels = dict(zip(map(id, args[1:]), inputs.split(","), strict=True))
    [value] = [one for one in args[1:] if one is not weights]
    of_weights, of_value = labels[id(weights)], labels[id(value)]
    keys = [one for one in of_weights if one in of_value and one not in of_output]
    queries = [one for one in of_weights if one in of_output and one not in of_value]
    widths = [one for one in of_value if one in of_output and one not in of_weights]
    samples = [one for one in of_weights if one in of_value and one in of_output]
    if not len(keys) == len(queries) == len(widths) == 1:
        return None

    def ordered(tensor: Tensor, names: str, last: Sequence[str]) -> Tensor:
        return _arranged(tensor.permute([names.index(one) for one in (*samples, *last)]), None)

    known = ordered(weights.detach(), of_weights, (*queries, *keys))
    return AttentionCall(
        ordered(value, of_value, (*keys, *widths)),
        None,
        output,
        lambda tensor: ordered(tensor, of_output, (*queries, *widths)),
        lambda head: _precise(known[:, head]),
    )


def _arranged(tensor: Tensor, heads: Heads) -> Tensor:
    """(..., heads, L, d), (B, L, d) or (B x heads, L, d) as (B, heads, L, d)."""
    if tensor.ndim == 2:
        return tensor[None, None]
    if tensor.ndim == 3:
        return tensor.unsqueeze(1) if heads is None else tensor.unflatten(0, (-1, heads))
    return tensor.flatten(0, -4)


def _precise(weights: Tensor) -> Tensor:
    return weights.to(torch.promote_types(weights.dtype, torch.float32))


def _sdpa_weights(
    query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool, scale: float, head: int
) -> Tensor:
    """softmax(Q K^T scale + mask) of one head, (B, queries, keys)."""
    with torch.no_grad():
        logits = _precise(query[:, head]) @ _precise(key[:, head]).mT * scale
        if is_causal:
            hidden = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).triu(1)
            logits = logits.masked_fill(hidden, float("-inf"))
        if mask is not None and mask.dtype == torch.bool:
            logits = logits.masked_fill(~mask[:, head], float("-inf"))
        elif mask is not None:
            logits = logits + mask[:, head]
        return logits.softmax(-1).nan_to_num(nan=0.0)
