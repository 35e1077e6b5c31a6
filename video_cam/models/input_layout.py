"""How a network's forward takes a clip: time first, frame by frame, in two pathways, ...

Clips are (N, 3, T, H, W) everywhere else; ``adapt_module`` makes any network take them.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.clip_axes import CHANNELS_FIRST
from video_cam.layers.outputs import ClassOutput, raw_scores
from video_cam.models.channels import select_channels
from video_cam.models.input_factory import InputFactory
from video_cam.utils.devices import sent
from video_cam.utils.nested import map_tensors, tensors_in
from video_cam.video.clip import Clip

INPUT_LAYOUTS = ("NCTHW", "NTCHW", "frames", "stacked", "list")
SLOWFAST_STRIDES = (4, 1)


@dataclass(frozen=True)
class InputLayout:
    """How a network's forward takes a clip.

    Attributes:
        layout: of INPUT_LAYOUTS. "NCTHW": (N, C, T, H, W); "NTCHW": (N, T, C, H, W); "frames":
            (N x T, C, H, W), for image networks; "stacked": (N, T x C, H, W), the channels of one
            frame after those of the frame before; "list": a list of pathways (N, C, T_i, H, W).
        strides: of "list": pathway i gets one of every strides[i] frames.
        channels: what C is, of ``choice_names.CHANNEL_NAMES``.
        factory: makes the arguments of the forward from that; None where it is the only argument.
    """

    layout: str = "NCTHW"
    strides: tuple[int, ...] = ()
    channels: str = "rgb"
    factory: InputFactory | None = None

    def __post_init__(self) -> None:
        if self.layout == "frames" and self.channels == "flow":
            raise UsageError(
                "optical flow lies between two frames, and --layout-in frames scores single ones: "
                "give --layout-in stacked, with --num-frames 2 for one field"
            )

    def pack(self, x: Tensor) -> Any:
        """What the network's forward takes of a clip (N, 3, T, H, W).

        Lists are made anew for every call, because some networks change the list they get. Tensors
        are contiguous, as a loader gives them.
        """
        x = select_channels(x, self.channels)
        if self.layout == "stacked":
            return x.transpose(1, 2).flatten(1, 2)  # (N, T x C, H, W)
        if self.layout == "NTCHW":
            return x.transpose(1, 2).contiguous()
        if self.layout == "frames":
            return x.transpose(1, 2).flatten(0, 1).contiguous()  # (N x T, C, H, W)
        if self.layout == "list":
            frames = [pathway_frames(x.shape[2], stride) for stride in self.strides]
            return [x[:, :, sent(index, x.device)].contiguous() for index in frames]
        return x

    def arguments(self, x: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of the network's forward for a clip, by position and by name."""
        packed = self.pack(x)
        return ((packed,), {}) if self.factory is None else self.factory(packed)

    def in_window(self, clip: Clip, frame_indices: Sequence[int]) -> AbstractContextManager[None]:
        """Inside the block every input of the network is a version of this window of a clip."""
        return (
            nullcontext() if self.factory is None else self.factory.in_window(clip, frame_indices)
        )

    def unpack(self, outputs: Any, x: Tensor) -> Any:
        """The network's outputs for a clip ``x`` (N, C, T, H, W).

        Returns:
            Of "frames": scores (N, T, classes), or the outputs with (N, T, ...) in place of
            (N x T, ...) in every tensor. Of other layouts: ``outputs`` as they are.

        Raises:
            UsageError: where "frames" outputs hold no row for each frame.
        """
        if self.layout != "frames":
            return outputs
        samples, rows = (len(x), x.shape[2]), len(x) * x.shape[2]
        of_frames = [one for one in tensors_in(outputs) if one.ndim and len(one) == rows]
        if not of_frames:
            raise UsageError(
                f"the network put out {_shapes(outputs)} for {rows} images, expected a row of "
                "class scores for each: give another --layout-in"
            )
        alike = len({tuple(one.shape) for one in of_frames}) == 1 and of_frames[0].ndim == 2
        if alike and not isinstance(outputs, ClassOutput):
            return raw_scores(outputs).unflatten(0, samples)  # (N, T, classes)
        return map_tensors(
            lambda one: one.unflatten(0, samples) if one.ndim and len(one) == rows else one, outputs
        )

    def frames_of(self, cells: int, num_frames: int) -> Tensor | None:
        """The frames that a pathway with ``cells`` samples gets, of an input of ``num_frames``.

        Returns:
            int64 (cells,), indices of input frames; None for a pathway that gets every frame.
        """
        for stride in self.strides:
            if stride > 1 and cells * stride == num_frames:
                return pathway_frames(num_frames, stride)
        return None


NCTHW = InputLayout()


def _shapes(outputs: Any) -> str:
    return ", ".join(str(tuple(one.shape)) for one in tensors_in(outputs)) or "no tensor"


def pathway_frames(num_frames: int, stride: int) -> Tensor:
    """The frames that a pathway of a SlowFast network gets.

    Feichtenhofer et al. 2019 ("SlowFast Networks for Video Recognition") take every stride-th
    frame. The transforms of PySlowFast and pytorchvideo, which published weights were trained
    with, spread that many frames evenly from the first to the last; so does this function.

    Returns:
        int64 (num_frames / stride,), indices of input frames.

    Raises:
        UsageError: where ``stride`` does not divide ``num_frames``.
    """
    if num_frames % stride:
        raise UsageError(
            f"{num_frames} frames cannot be given to a pathway that takes every {stride}th: "
            f"give --num-frames a multiple of {stride}"
        )
    return torch.linspace(0, num_frames - 1, num_frames // stride).long()


def parse_input_layout(text: str) -> InputLayout:
    """The layout that ``--layout-in`` names.

    Args:
        text: NCTHW, NTCHW, frames, stacked, list (a slow and a fast pathway), or list:8,1 with
            other strides.

    Raises:
        UsageError: for anything else.
    """
    name, _, strides = text.partition(":")
    if name == "list" and re.fullmatch(r"([1-9]\d*(,[1-9]\d*)*)?", strides):
        numbers = tuple(int(stride) for stride in strides.split(",") if stride)
        return InputLayout("list", numbers or SLOWFAST_STRIDES)
    if text in INPUT_LAYOUTS:
        return InputLayout(text)
    raise UsageError(
        f"unknown layout {text!r}: give NCTHW, NTCHW, frames (each frame as an image), stacked "
        "(frames as channels of one image), list (a slow and a fast pathway) or list:8,1 (every "
        "8th and every frame)"
    )


def adapt_module(module: nn.Module, input_layout: InputLayout) -> nn.Module:
    """A network that shares ``module``'s layers, under their names, and takes (N, 3, T, H, W).

    ``module`` itself is not changed. It is returned where it takes (N, 3, T, H, W) already.
    """
    if input_layout == NCTHW:
        return module
    adapted = copy.copy(module)
    base = type(module)

    def forward(self: nn.Module, x: Tensor) -> Any:
        """(N, 3, T, H, W) -> the network's outputs; of "frames", scores (N, T, classes)."""
        arguments, named = input_layout.arguments(x)
        return input_layout.unpack(base.forward(self, *arguments, **named), x)

    # A subclass, as torch's parametrisations make one: a wrapping module would rename all layers.
    members = {"forward": forward, CHANNELS_FIRST: True}
    adapted.__class__ = type(f"Adapted{base.__name__}", (base,), members)
    return adapted
