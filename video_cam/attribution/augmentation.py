"""Test-time augmentation: maps of augmented inputs, brought back to the input and averaged.

An input may be flipped left to right (never upside down), scaled in its normalised values, and
moved in time. The flip and the move of its map are undone before the mean is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from video_cam.errors import UsageError
from video_cam.layers.alignment import CellCentres, interpolation_matrix
from video_cam.layers.axes import TIME, has_pixels
from video_cam.utils.devices import sent
from video_cam.utils.nested import map_tensors, tensors_in


@dataclass(frozen=True)
class Augmentation:
    """One way to change an input.

    Attributes:
        flip: left to right.
        factor: of the normalised values.
        shift: frames by which the content is later.
    """

    flip: bool = False
    factor: float = 1.0
    shift: int = 0


def augmentations(smooth: bool, shift: int) -> list[Augmentation]:
    """The augmentations of an input; the first one leaves it as it is.

    Args:
        smooth: six of them: flipped or not, times 0.9, 1 and 1.1.
        shift: each of them also this many frames earlier and later; 0 for none.
    """
    flips, factors = ((False, True), (1.0, 0.9, 1.1)) if smooth else ((False,), (1.0,))
    shifts = (0, -shift, shift) if shift else (0,)
    return [Augmentation(f, factor, s) for s in shifts for f in flips for factor in factors]


def augment(x: Any, augmentation: Augmentation) -> Any:
    """The augmented input, in new containers; ``x`` is not changed.

    Frames moved in from beyond either end repeat the first or last one. Of several inputs the one
    with the most frames moves by ``shift`` frames, the others by the same time. Tensors without
    pixels, such as a mask or numbers beside the frames, stay as they are, and pictures beside a
    clip, too.

    Args:
        x: a tensor (N, C, T, H, W) or (N, C, H, W), or several in a container.
        augmentation: how to change it.

    Raises:
        UsageError: for a shift of an input without a time axis.
    """
    most_frames = max(_frame_counts(x), default=0)
    if augmentation.shift and not most_frames:
        raise UsageError(
            f"aug_shift={abs(augmentation.shift)} moves a clip in time: give an input "
            "(N, C, T, H, W), or aug_shift=0"
        )

    axes = max((tensor.ndim for tensor in tensors_in(x) if has_pixels(tensor)), default=0)

    def augmented(x: Tensor) -> Tensor:
        if not has_pixels(x) or x.ndim < axes:  # four axes beside a clip: a picture of its sound
            return x
        if augmentation.flip:
            x = x.flip(-1)
        if augmentation.shift:
            shift = round(augmentation.shift * x.shape[TIME] / most_frames)
            frames = torch.arange(x.shape[TIME], device=x.device) - shift
            x = x.index_select(TIME, frames.clamp(0, x.shape[TIME] - 1))
        return x * augmentation.factor if augmentation.factor != 1 else x

    return map_tensors(augmented, x)


def undo(values: Tensor, augmentation: Augmentation, centres: CellCentres) -> Tensor:
    """A map of an augmented input, brought back to the input itself.

    With a shift of s frames, the value at position c + s belongs to position c; between cells the
    map is linear. A flip is undone about the middle of the grid.

    Args:
        values: (N, T', H', W').
        augmentation: of the map's input.
        centres: of the map's cells.
    """
    if augmentation.flip:
        values = values.flip(-1)
    if augmentation.shift:
        matrix = torch.from_numpy(interpolation_matrix(centres.t, centres.t + augmentation.shift))
        weights = sent(matrix.to(values.dtype), values.device)
        values = torch.einsum("nthw,st->nshw", values, weights)
    return values


def _frame_counts(x: Any) -> Iterator[int]:
    return (tensor.shape[TIME] for tensor in tensors_in(x) if tensor.ndim == 5)
