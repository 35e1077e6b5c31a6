"""Alterations of one window: small functions from a clip (C, T, H, W) to one of the same shape.

Those of whole frames are values: two that do the same are equal, so a score can be kept for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from video_cam.perturbation.baselines import baseline_of

Alteration = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Frames:
    """The window's own frames in another order; a frame may come several times, or never.

    Attributes:
        order: for each frame of the result, the index of a frame of the window.
    """

    order: tuple[int, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """The altered clip; the clip itself where nothing is changed."""
        if self.order == tuple(range(x.shape[1])):
            return x
        return torch.stack([x[:, index] for index in self.order], 1)


@dataclass(frozen=True)
class KeepFrames:
    """Some frames as they are, the others replaced.

    Attributes:
        kept: indices of frames.
        baseline: of ``baselines.BASELINES``.
    """

    kept: frozenset[int]
    baseline: str

    def __call__(self, x: Tensor) -> Tensor:
        """The altered clip."""
        if len(self.kept) == x.shape[1]:
            return x
        replacement = baseline_of(x, self.baseline)
        rows = [(x if t in self.kept else replacement)[:, t] for t in range(x.shape[1])]
        return torch.stack(rows, 1)


@dataclass(frozen=True, eq=False)
class Replace:
    """A region of the clip replaced.

    Attributes:
        mask: bool, broadcast to (C, T, H, W), True where the clip is replaced; on its device.
        replacement: (C, T, H, W).
    """

    mask: Tensor
    replacement: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """The altered clip."""
        return torch.where(self.mask, self.replacement, x)


def unaltered(num_frames: int) -> Frames:
    """The window as it is."""
    return Frames(tuple(range(num_frames)))


def frozen(num_frames: int, frame: int) -> Frames:
    """One frame shown all the time: what it looks like is left, motion is gone."""
    return Frames((frame,) * num_frames)


def shuffled(num_frames: int, seed: int) -> Frames:
    """The frames in an order drawn at random, the same for the same seed."""
    return Frames(tuple(np.random.default_rng(seed).permutation(num_frames).tolist()))


def backwards(num_frames: int) -> Frames:
    """The frames from the last to the first."""
    return Frames(tuple(reversed(range(num_frames))))
