"""Alterations of one window: small functions from a clip (C, T, H, W) to one of the same shape.

Those of whole frames are values: two that do the same are equal, so a score can be kept for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
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


@dataclass(frozen=True)
class MeanFrame:
    """The mean of all frames, shown all the time."""

    def __call__(self, x: Tensor) -> Tensor:
        """The altered clip."""
        return x.mean(1, keepdim=True).expand_as(x)


@dataclass(frozen=True)
class Steps:
    """Several alterations, one after another.

    Attributes:
        steps: in the order in which they are done; values, so that equal ones are known.
    """

    steps: tuple[Alteration, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """The altered clip."""
        for step in self.steps:
            x = step(x)
        return x


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


def at_speed(num_frames: int, speed: float) -> Frames:
    """The window played slower or faster about its middle, from its own frames alone.

    No frame is invented. The network is given nothing that it has not seen in the unaltered window,
    so a change of the score comes from the pace. Frames around the window would bring other
    content, the network's frame rate often leaves none between two samples, and interpolated ones
    would show what no camera has seen. The price: slower than 1, only the middle part of the window
    fits, each of its frames shown several times; faster than 1, the first and the last frame stand
    still before and after the window's course.

    Args:
        num_frames: of the window.
        speed: above 0; 0.5 is half the speed, 2 is twice the speed.
    """
    middle = (num_frames - 1) / 2
    positions = middle + (np.arange(num_frames) - middle) * speed
    # Below speed 1 each frame is shown around its own position, above it the frames are thinned.
    nearest = np.floor(positions + (0.5 if speed < 1 else 0.0)).astype(int)
    return Frames(tuple(nearest.clip(0, num_frames - 1).tolist()))


def blurred_still() -> Steps:
    """The mean of all frames, blurred and still: neither motion nor what things look like.

    The colours and the rough layout are left.
    """
    return Steps((MeanFrame(), KeepFrames(frozenset(), "blur")))


def held(num_frames: int, kept: Collection[int]) -> Alteration:
    """Only some frames, each shown until another kept frame is nearer in time.

    A network is never shown a picture that is not in the clip, nor flicker between pictures and
    something else: what is left is the clip at a lower rate.

    Args:
        num_frames: of the window.
        kept: indices of frames; the earlier of two that are as near is shown. Of
            no frame ``blurred_still`` is left.
    """
    if not kept:
        return blurred_still()
    rows = sorted(kept)
    return Frames(tuple(min(rows, key=lambda row: abs(row - t)) for t in range(num_frames)))
