"""The precision that a network computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import chain
from typing import Any

import torch
from torch import nn

from video_cam.utils.nested import tensors_in


def computing_in(precision: str, model: nn.Module, x: Any) -> AbstractContextManager[Any]:
    """Inside the block the network computes in a precision of ``choice_names.PRECISIONS``.

    Args:
        precision: "bf16" for autocast.
        model, x: the network and its input, which say on which device.
    """
    device = next(chain(model.parameters(), model.buffers(), tensors_in(x))).device.type
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
