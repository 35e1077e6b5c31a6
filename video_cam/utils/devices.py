"""Copies between the CPU and an accelerator, with as little waiting as possible.

An accelerator works through a queue, and a copy that waits, waits for all that was put into it
before.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device | str) -> Tensor:
    """A tensor of the CPU on another device, without waiting for the device.

    Args:
        tensor: on the CPU, and not changed afterwards.
        device: where it is wanted; on the CPU the tensor itself is returned.
    """
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()  # only such memory is copied in the background
    return tensor.to(device, non_blocking=True)


def on_cpu(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Several tensors on the CPU, detached, copied together: the device is waited for once.

    Args:
        tensors: of any shapes and dtypes; those of the CPU are returned as they are.
    """
    tensors = [tensor.detach() for tensor in tensors]
    away = [tensor for tensor in tensors if tensor.device.type != "cpu"]
    if not away:
        return tensors
    raw = [tensor.contiguous().flatten().view(torch.uint8) for tensor in away]
    parts = iter(torch.cat(raw).cpu().split([len(one) for one in raw]))
    return [
        tensor
        if tensor.device.type == "cpu"
        # A clone begins where numbers of any size may lie.
        else next(parts).clone().view(tensor.dtype).reshape(tensor.shape)
        for tensor in tensors
    ]
