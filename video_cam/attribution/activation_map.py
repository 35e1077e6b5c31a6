"""A map at its layer's own resolution, and what is made of it: another grid, heat in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from video_cam.attribution.input_maps import Sampling
from video_cam.layers.alignment import CellCentres, interpolate


@dataclass(frozen=True)
class ActivationMap:
    """A class activation map at its layer's own resolution.

    Attributes:
        values: float32 (N, T', H', W'), signed.
        scores: float32 (N,), the target's scores.
        class_ids: int64 (N,), or None where the target is a function.
        layer: module name; "input" for a map of the whole input.
        method: of ``choice_names.METHOD_NAMES``.
        centres: positions of the cells in input frames and pixels.
        input_size: (T, H, W).
        detail: what makes the map finer than its layer's grid, of ``choice_names.DETAIL_NAMES``.
        sampling: how many random masks the map is made of, and its standard errors; None where
            nothing is drawn at random.
    """

    values: Tensor
    scores: Tensor
    class_ids: Tensor | None
    layer: str
    method: str
    centres: CellCentres
    input_size: tuple[int, int, int]
    detail: str = "none"
    sampling: Sampling | None = None


def upsample(cam: ActivationMap, size: Sequence[int]) -> Tensor:
    """The map on another grid over the network's input, still signed.

    Args:
        cam: a map of ``compute_cams``.
        size: (T, H, W); ``cam.input_size`` for one value for each pixel of the input.

    Returns:
        float32 (N, T, H, W).
    """
    return interpolate(cam.values, cam.centres, cam.input_size, size)


def normalize(volume: Tensor) -> Tensor:
    """ReLU, then division by each sample's maximum.

    Args:
        volume: signed (N, ...); the maximum is over all axes but the first.

    Returns:
        The same shape, in [0, 1]; zeros for a sample without positive values.
    """
    positive = volume.clamp(min=0)
    peak = positive.flatten(1).amax(1).reshape(-1, *[1] * (volume.ndim - 1))
    return torch.where(peak > 0, positive / peak, torch.zeros_like(positive))
