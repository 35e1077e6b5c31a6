"""Which token each key or query of attention is made of, read from gradients.

A network may reorder its tokens before attention: by frame, by place, by window. Where every slot
(a key or query of one of the B parts that attend among themselves) is made of a single token, the
gradient of ``sum of c(slot) value(slot)`` at a token is c(slot) times that for c = 1. So the
gradients for the digits of the slots' numbers tell the slot of each token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from video_cam.utils.devices import sent

NONE, SEVERAL = -1, -2  # slots of a token that feeds none, and of one that feeds several
# Of the gradient at the token with the largest one: below, a token feeds nothing.
_NOTHING = 1e-4
# Largest relative error of a gradient that is read as a multiple of another.
_TOLERANCE = 0.05
_CHECKS = 3  # with random numbers
# Digits that can be read exactly: of single precision, and of half precision.
_BASE, _HALF_BASE = 4096, 2

Gradients = Callable[[Tensor], Tensor]


def slot_of_tokens(tokens: Tensor, channels: int, values: Tensor) -> Tensor:
    """The slot that each token feeds.

    Args:
        tokens: a leaf of the graph that ``values`` are computed in.
        channels: the axis of ``tokens`` that holds a token's channels.
        values: (B, L, width), one row for each slot.

    Returns:
        int64 (tokens,), in [0, B L), NONE or SEVERAL.
    """
    gradients = _gradients(tokens, channels, values)
    ones = gradients(torch.ones(values.shape[:2], device=values.device))
    power = ones.square().sum(1)
    feeds = power > _NOTHING**2 * power.max().clamp(min=torch.finfo(power.dtype).tiny)
    count = values.shape[0] * values.shape[1]
    base = _HALF_BASE if values.dtype.itemsize < 4 else _BASE
    numbers = torch.arange(count)
    slot, place = torch.zeros_like(power, dtype=torch.int64), 1
    while place < count:
        digits = sent(numbers // place % base, values.device).reshape(values.shape[:2])
        share = _ratio(gradients(digits), ones, power)
        slot += place * share.round().long()
        place *= base
    slot = slot.clamp(0, count - 1)
    found = slot.clone()
    # A token with slots on both sides of another one looks like that one, but for random numbers.
    for numbers in _random_numbers(values):
        expected = numbers.flatten()[slot, None] * ones
        error = (gradients(numbers) - expected).square().sum(1)
        found[error > _TOLERANCE**2 * power] = SEVERAL
    found[~feeds] = NONE
    return found


def tokens_of_slots(tokens: Tensor, channels: int, values: Tensor) -> Tensor | None:
    """The token that each slot is made of.

    A token may feed several slots if they have the same number in each of the B parts, as a class
    token that attends in every frame.

    Args:
        tokens, channels, values: as ``slot_of_tokens``.

    Returns:
        int64 (B L,), NONE for slots that are made of none of the tokens; None where slots are made
        of several tokens each.
    """
    slot = slot_of_tokens(tokens, channels, values)
    single = (slot >= 0).nonzero()[:, 0]
    found = torch.full((values.shape[0] * values.shape[1],), NONE, device=values.device)
    found[slot[single]] = single
    if not torch.equal(found[slot[single]], single):  # two tokens in one slot
        return None
    shared = (slot == SEVERAL).nonzero()[:, 0]
    if not len(shared):
        return found
    return _with_shared(tokens, channels, values, found, shared)


def _with_shared(
    tokens: Tensor, channels: int, values: Tensor, found: Tensor, shared: Tensor
) -> Tensor | None:
    """``found`` with the slots of tokens that feed one in several of the B parts each."""
    parts, length = values.shape[:2]
    gradients = _gradients(tokens, channels, values)
    ones = gradients(torch.ones(parts, length, device=values.device))
    power = ones.square().sum(1)
    numbers = sent(torch.arange(length), values.device).expand(parts, length)
    place = _ratio(gradients(numbers), ones, power)[shared]
    if len(shared) > length or bool(((place - place.round()).abs() > _TOLERANCE).any()):
        return None
    table = found.clone().reshape(parts, length)
    for token, column in zip(shared.tolist(), place.round().long().tolist(), strict=True):
        free = table[:, column] == NONE
        table[free, column] = token
    for numbers in _random_numbers(values):
        seen = _ratio(gradients(numbers), ones, power)[shared]
        expected = torch.stack([numbers[table == token].mean() for token in shared.tolist()])
        if bool(((seen - expected).abs() > _TOLERANCE).any()):
            return None
    return table.flatten()


def _gradients(tokens: Tensor, channels: int, values: Tensor) -> Gradients:
    """Of the sum of random channels of the slots, times one number for each slot: (tokens, K)."""
    generator = torch.Generator().manual_seed(0)
    mix = sent(torch.randn(values.shape[2], generator=generator), values.device).to(values.dtype)
    sums = (values @ mix).to(torch.promote_types(values.dtype, torch.float32))  # (B, L)

    def gradients(numbers: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(
            (sums * numbers).sum(), tokens, retain_graph=True, allow_unused=True
        )
        found = torch.zeros_like(tokens) if found is None else found
        return found.movedim(channels, -1).flatten(0, -2).to(sums.dtype)

    return gradients


def _ratio(gradients: Tensor, ones: Tensor, power: Tensor) -> Tensor:
    """For each token the number that its gradient is ``ones`` times."""
    tiny = torch.finfo(power.dtype).tiny
    return (gradients * ones).sum(1) / power.clamp(min=tiny)


def _random_numbers(values: Tensor) -> Iterator[Tensor]:
    """Numbers for the slots, to check what was read: (B, L) each."""
    generator = torch.Generator().manual_seed(1)
    dtype = torch.promote_types(values.dtype, torch.float32)
    for _ in range(_CHECKS):
        yield sent(torch.randn(values.shape[:2], generator=generator).to(dtype), values.device)
