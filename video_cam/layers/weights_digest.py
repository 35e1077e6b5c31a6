"""A digest of a network's weights, to recognise a network that was seen before."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def digest_of_weights(module: nn.Module) -> str:
    """SHA-256 of a network's parameters and buffers with their names, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
