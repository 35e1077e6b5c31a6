"""Allocations that fail as they do when memory runs out."""

from __future__ import annotations

import torch

TOO_MUCH = 1 << 60  # bytes, more than any machine has


def allocate_too_much() -> None:
    """Raise what PyTorch's CPU allocator raises when memory runs out."""
    torch.empty(TOO_MUCH, dtype=torch.uint8)
