"""Test-time augmentation: the same map from altered inputs, brought back and averaged.

An input may be flipped left to right (never upside down), scaled in its normalised values, and
moved in time. Its map is turned back before the mean is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from video_cam.errors import UsageError
from video_cam.layers.alignment import CellCentres, interpolation_matrix
from video_cam.layers.axes import time_axis
from video_cam.utils.nested import map_tensors, tensors_in


@dataclass(frozen=True)
class Version:
    """One altered input. factor: of the normalised values. shift: frames by which it is later."""

    flip: bool = False
    factor: float = 1.0
    shift: int = 0


def versions(smooth: bool, shift: int) -> list[Version]:
    """All versions of an input, itself first.

    smooth: flipped or not, times 0.9, 1 and 1.1, six of them. shift: each of these also ``shift``
    frames earlier and later, 0 for none.
    """
    flips, factors = ((False, True), (1.0, 0.9, 1.1)) if smooth else ((False,), (1.0,))
    shifts = (0, -shift, shift) if shift else (0,)
    return [Version(f, factor, s) for s in shifts for f in flips for factor in factors]


def altered(x: Any, version: Version) -> Any:
    """The input, a tensor or a list of them, as ``version`` has it; the caller's is left alone.

    A frame moved in from beyond either end is the first or last one again. Of several inputs the
    longest moves by ``shift`` frames, and the others by as much time.
    Raises UsageError for a shift of an input without a time axis.
    """
    longest = max(_lengths(x), default=0)
    if version.shift and not longest:
        raise UsageError(
            f"aug_shift={abs(version.shift)} moves a clip in time: give an input (N, C, T, H, W), "
            "or aug_shift=0"
        )
    return _altered(x, version, longest)


def restored(values: Tensor, version: Version, centres: CellCentres) -> Tensor:
    """A map (N, T', H', W') of an altered input, as a map of the input itself.

    What an input moved by s frames shows at position c + s belongs to position c; between cells
    the map is linear. A flip turns about the middle of the grid.
    """
    if version.flip:
        values = values.flip(-1)
    if version.shift:
        matrix = torch.from_numpy(interpolation_matrix(centres.t, centres.t + version.shift))
        values = torch.einsum("nthw,st->nshw", values, matrix.to(values))
    return values


def _lengths(x: Any) -> Iterator[int]:
    return (tensor.shape[time_axis(tensor)] for tensor in tensors_in(x) if tensor.ndim == 5)


def _altered(x: Any, version: Version, longest: int) -> Any:
    def altered(x: Tensor) -> Tensor:
        if not x.is_floating_point() or x.ndim < 4:  # a mask or numbers beside the frames
            return x
        if version.flip:
            x = x.flip(-1)
        if version.shift:
            axis = time_axis(x)
            shift = round(version.shift * x.shape[axis] / longest)
            frames = torch.arange(x.shape[axis], device=x.device) - shift
            x = x.index_select(axis, frames.clamp(0, x.shape[axis] - 1))
        return x * version.factor if version.factor != 1 else x

    return map_tensors(altered, x)
