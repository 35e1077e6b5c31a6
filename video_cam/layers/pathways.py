"""Which frames of the longest input the frames of a shorter one are, for networks with pathways."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from video_cam.layers.axes import has_pixels


def frame_positions(tensors: Sequence[Tensor]) -> list[Tensor]:
    """For each input its frames' positions among those of the input with the most frames.

    A frame that equals exactly one frame of the longest input is at its position. Where a frame
    equals none, or several, the frames of that input lie evenly, each in the middle of its share.

    Args:
        tensors: (N, C, T_i, H, W), or others, which have no frames.

    Returns:
        float64 (T_i,) each, in frames of the longest input, rising; empty for others.
    """
    clips = [_frames(tensor) if _is_clip(tensor) else None for tensor in tensors]
    longest = max((clip for clip in clips if clip is not None), key=len, default=None)
    return [
        torch.empty(0) if clip is None or longest is None else _positions(clip, longest)
        for clip in clips
    ]


def _is_clip(tensor: Tensor) -> bool:
    return tensor.ndim == 5 and has_pixels(tensor)


def _frames(tensor: Tensor) -> Tensor:
    """(T, all values of a frame of the first sample)."""
    return tensor[0].transpose(0, 1).flatten(1)


def _positions(clip: Tensor, longest: Tensor) -> Tensor:
    count = len(longest)
    evenly = (torch.arange(len(clip), dtype=torch.float64) + 0.5) * (count / len(clip)) - 0.5
    if len(clip) == count or clip.shape[1:] != longest.shape[1:]:
        return evenly
    equal = torch.stack([(longest == frame).all(1) for frame in clip])  # (T_i, T)
    found = equal.int().argmax(1).cpu().double()
    is_clear = bool((equal.sum(1) == 1).all()) and bool((found.diff() > 0).all())
    return found if is_clear else evenly
