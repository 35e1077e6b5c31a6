"""A digest of a network's weights, to recognise a network that was seen before."""

from __future__ import annotations

import hashlib
import pickle
import secrets
from typing import Any

import torch
from torch import Tensor, nn


def digest_of_weights(module: nn.Module) -> str:
    """SHA-256 of a network's state dict with its names, as 64 hexadecimal digits.

    Modules may add values of any type to it, under "_extra_state". They count as pickled: equal
    values may have two digests, but other values never have the same one.
    """
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
        else:
            digest.update(f"{name}\n".encode())
            digest.update(_pickled(value))
    return digest.hexdigest()


def _pickled(value: Any) -> bytes:
    """A value as bytes; random ones, which are found nowhere again, where it cannot be pickled."""
    try:
        return pickle.dumps(value)
    except Exception:  # what the value's own code raises
        return secrets.token_bytes(32)
