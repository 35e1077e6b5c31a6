"""The weights of one call of attention, head by head, without keeping all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

_CACHED = 2**18  # weights at a time
_MIN_ROWS = 8

Heads = int | None
# Brings a tensor of a call to (B, heads, L, d).
Arrange = Callable[[Tensor], Tensor]
# (head, some queries) -> numbers (B, rows, keys) without a graph.
OfRows = Callable[[int, slice], Tensor]


@dataclass(frozen=True)
class AttentionCall:
    """One call: ``output = weights @ value``, for B samples, windows, frames or the like.

    Attributes:
        value: (B, heads, keys, d), part of the network's graph.
        query: (B, heads, queries, d); None where only the weights are known.
        output: as the network's code gets it.
        arrange: brings a tensor shaped as ``output`` to (B, heads, queries, d).
        weights: makes what gives the weights of one head and some of its queries. What it makes
            holds copies, so it is made where it is used and not kept.
    """

    value: Tensor
    query: Tensor | None
    output: Tensor
    arrange: Arrange
    weights: Callable[[], OfRows]

    @property
    def heads(self) -> int:
        """The number of heads."""
        return self.value.shape[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, queries, keys)."""
        rows = self.arrange(self.output)
        return rows.shape[0], rows.shape[2], self.value.shape[2]

    def row_parts(self) -> Iterator[slice]:
        """Queries in parts, of which the weights of one head stay in the processor's cache."""
        samples, queries, keys = self.shape
        rows = max(_CACHED // (samples * keys), _MIN_ROWS)
        for start in range(0, queries, rows):
            yield slice(start, min(start + rows, queries))

    def mean_weights(self) -> Tensor:
        """The mean over heads of the weights, (B, queries, keys)."""
        dtype = torch.promote_types(self.value.dtype, torch.float32)
        found = torch.zeros(self.shape, dtype=dtype, device=self.value.device)
        weights = self.weights()
        for rows in self.row_parts():
            for head in range(self.heads):
                found[:, rows] += weights(head, rows)
        return found.div_(self.heads)

    def without_weights(self) -> AttentionCall:
        """The call without what its weights are computed of, which is then not kept."""
        return replace(self, query=None, weights=_no_weights)

    def weight_gradients(self, output_gradient: Tensor) -> OfRows:
        """The gradient with respect to the weights: (B, rows, keys).

        Args:
            output_gradient: the gradient with respect to ``output``.
        """
        of_rows = _dense(self.arrange(output_gradient.detach()))
        values = _dense(self.value.detach())
        return lambda head, rows: of_rows[:, head, rows] @ values[:, head].mT


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
    weights = partial(
        _sdpa_weights,
        query.detach(),
        key.detach(),
        None if mask is None else mask.detach(),
        bool(given.get("is_causal", False)),
        query.shape[-1] ** -0.5 if scale is None else scale,
    )
    return AttentionCall(value, query, output, arrange, weights)


def from_product(weights: Tensor, value: Tensor, output: Tensor, heads: Heads) -> AttentionCall:
    """Weights (..., queries, keys) that are multiplied with values (..., keys, d)."""
    arrange = partial(_arranged, heads=heads)
    known = arrange(weights.detach())

    def of_rows(head: int, rows: slice) -> Tensor:
        return _precise(known[:, head, rows])

    return AttentionCall(arrange(value), None, output, arrange, lambda: of_rows)


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

    def of_rows(head: int, rows: slice) -> Tensor:
        return _precise(known[:, head, rows])

    def arrange(tensor: Tensor) -> Tensor:
        return ordered(tensor, of_output, (*queries, *widths))

    values = ordered(value, of_value, (*keys, *widths))
    return AttentionCall(values, None, output, arrange, lambda: of_rows)


def _arranged(tensor: Tensor, heads: Heads) -> Tensor:
    """(..., heads, L, d), (B, L, d) or (B x heads, L, d) as (B, heads, L, d)."""
    if tensor.ndim == 2:
        return tensor[None, None]
    if tensor.ndim == 3:
        return tensor.unsqueeze(1) if heads is None else tensor.unflatten(0, (-1, heads))
    return tensor.flatten(0, -4)


def _dense(tensor: Tensor) -> Tensor:
    """At least float32 and contiguous, for many products with parts of it."""
    return _precise(tensor).contiguous()


def _precise(weights: Tensor) -> Tensor:
    return weights.to(torch.promote_types(weights.dtype, torch.float32))


def _no_weights() -> OfRows:
    raise AssertionError("the weights of this call were not kept")


def _sdpa_weights(
    query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool, scale: float
) -> OfRows:
    """What gives softmax(Q K^T scale + mask) of one head and some queries, (B, rows, keys)."""
    queries, keys = _dense(query * scale), _dense(key)

    def of_rows(head: int, rows: slice) -> Tensor:
        with torch.no_grad():
            logits = queries[:, head, rows] @ keys[:, head].mT
            if is_causal:
                places = torch.arange(queries.shape[2], device=queries.device)[rows, None]
                hidden = torch.arange(keys.shape[2], device=keys.device) > places
                logits = logits.masked_fill(hidden, float("-inf"))
            if mask is None:
                return logits.softmax(-1)
            of_rows = mask[:, head, rows]
            if mask.dtype == torch.bool:
                logits = logits.masked_fill(~of_rows, float("-inf"))
            else:
                logits = logits + of_rows
            return logits.softmax(-1).nan_to_num(nan=0.0)  # a query without any key

    return of_rows
