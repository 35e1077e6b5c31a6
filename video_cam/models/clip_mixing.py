"""Networks that must be given one clip at a time.

Their scores of a clip depend on the other clips of a batch; or they fold the frames of a batch into
one axis time first, (T x N, ...), where the maps of a batch are read clip first, (N x T, ...).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from video_cam.layers.axes import run_network
from video_cam.layers.batch_order import SAME, Rows, is_time_first, rows_recorded
from video_cam.layers.hooks import frozen_evaluation
from video_cam.layers.outputs import class_scores
from video_cam.layers.trace import input_dtype
from video_cam.utils.memory import is_out_of_memory

NOTE = (
    "the network's scores of a clip change with the other clips of a batch: it is given one window "
    "at a time"
)


def mixes_clips(module: nn.Module, size: Sequence[int]) -> bool | None:
    """Whether the scores of a clip of noise change when another one is beside it.

    Args:
        module: takes (N, 3, T, H, W); its output is class scores.
        size: (T, H, W) of the input.

    Returns:
        None for a network that does not run on two clips, or folds their frames time first.
    """
    generator = torch.Generator().manual_seed(0)
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    x = torch.randn(2, 3, *size, generator=generator).to(device, input_dtype(module))
    rows: Rows = {}
    parts = {name: part for name, part in module.named_modules() if name}
    with (
        rows_recorded(parts, rows),
        frozen_evaluation(module),
        torch.inference_mode(),
    ):
        alone = class_scores(run_network(module, x[:1].contiguous()))
        try:
            beside = class_scores(run_network(module, x))
        except Exception as error:  # the network's own code may raise anything
            if is_out_of_memory(error):
                raise
            return None
    if beside.shape[1:] != alone.shape[1:] or len(beside) != 2:
        return None
    if any(is_time_first(one, 2) for one in rows.values()):
        return None
    difference = (beside[:1] - alone).float().abs().max()
    return bool(difference > SAME * alone.float().abs().max())
