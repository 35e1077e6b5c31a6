"""A clip (N, C, T, H, W) to what a network's forward takes, and its outputs to class scores."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.outputs import raw_scores

LAYOUTS = ("NCTHW", "NTCHW", "frames", "list")
SLOW_FAST = (4, 1)  # of every how many frames a pathway sees one


@dataclass(frozen=True)
class Packing:
    """How a network takes a clip.

    layout: "NCTHW" as it is; "NTCHW" with time first; "frames" every frame as a sample of its own,
    for image networks; "list" several pathways, of which pathway i sees every strides[i]th frame.
    """

    layout: str = "NCTHW"
    strides: tuple[int, ...] = ()

    def pack(self, x: Tensor) -> Any:
        """What the network's forward takes; made afresh, since some networks change their list."""
        if self.layout == "NTCHW":
            return x.transpose(1, 2)
        if self.layout == "frames":
            return x.transpose(1, 2).flatten(0, 1)  # (N x T, C, H, W)
        if self.layout == "list":
            frames = [pathway_frames(x.shape[2], stride) for stride in self.strides]
            return [x[:, :, index.to(x.device)] for index in frames]
        return x

    def unpack(self, outputs: Any, x: Tensor) -> Any:
        """The network's outputs for (N, C, T, H, W) ``x``: frames that were samples are time."""
        if self.layout != "frames":
            return outputs
        scores = raw_scores(outputs)
        if scores.shape[0] != len(x) * x.shape[2] or scores.ndim != 2:
            raise UsageError(
                f"the network put out {tuple(scores.shape)} for {len(x) * x.shape[2]} images, "
                "expected a row of class scores for each: give another --layout-in"
            )
        return scores.unflatten(0, (len(x), x.shape[2]))  # (N, T, classes)

    def frames_of(self, cells: int, num_frames: int) -> Tensor | None:
        """Where a pathway's ``cells`` samples sit among the clip's frames; None where all do."""
        for stride in self.strides:
            if stride > 1 and cells * stride == num_frames:
                return pathway_frames(num_frames, stride)
        return None


AS_IT_IS = Packing()


def pathway_frames(num_frames: int, stride: int) -> Tensor:
    """int64: the frames a pathway sees, evenly from the first to the last, as SlowFast picks them.

    Feichtenhofer et al. 2019 take every stride-th; PySlowFast's and pytorchvideo's transforms
    spread that many over the clip, ends included, and their weights know that.
    """
    if num_frames % stride:
        raise UsageError(
            f"{num_frames} frames cannot be given to a pathway that takes every {stride}th: "
            f"give --num-frames a multiple of {stride}"
        )
    return torch.linspace(0, num_frames - 1, num_frames // stride).long()


def parse_layout(text: str) -> Packing:
    """--layout-in: NCTHW, NTCHW, frames, list (slow and fast), or list:8,1 with other strides."""
    name, _, strides = text.partition(":")
    if name == "list" and re.fullmatch(r"([1-9]\d*(,[1-9]\d*)*)?", strides):
        numbers = tuple(int(stride) for stride in strides.split(",") if stride)
        return Packing("list", numbers or SLOW_FAST)
    if text in LAYOUTS:
        return Packing(text)
    raise UsageError(
        f"unknown layout {text!r}: give NCTHW, NTCHW, frames (each frame as an image), list (a "
        "slow and a fast pathway) or list:8,1 (every 8th and every frame)"
    )


def adapted(module: nn.Module, packing: Packing) -> nn.Module:
    """A network that shares ``module``'s layers and takes (N, C, T, H, W).

    Modules keep their names, and ``module`` itself stays as it is.
    """
    if packing.layout == "NCTHW":
        return module
    twin = copy.copy(module)
    base = type(module)

    def forward(self: nn.Module, x: Tensor) -> Any:
        """(N, C, T, H, W) -> what the network puts out; of frames, scores (N, T, classes)."""
        return packing.unpack(base.forward(self, packing.pack(x)), x)

    # A class of its own, as torch's parametrisations make one: a wrapper would rename each layer.
    twin.__class__ = type(f"Adapted{base.__name__}", (base,), {"forward": forward})
    return twin
