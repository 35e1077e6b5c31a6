"""Maps that a useful map must be better than."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.map_sources import (
    CONTROL,
    DEFAULT_ALIGN,
    MapRow,
    class_volumes,
    own_rows,
    untrained,
)
from video_cam.models.classifier import Classifier

CONTROL_GRID = (4, 4, 4)  # (T', H', W') of random maps, as for layer4
CONTROL_BLUR = 3.0  # standard deviation in pixels


def control_rows(
    model: Classifier, clips: BenchmarkClips, method: str, layer: str
) -> Iterator[MapRow]:
    """Maps that a useful map must be better than.

    A map with detail must also be better than the map without it times what any clip shows: where
    something moves, and where an edge is.
    """
    for name, draw in CONTROLS.items():
        began = time.perf_counter()
        volumes = draw(clips)
        seconds = (time.perf_counter() - began) / len(clips)
        yield MapRow(name, "", "", CONTROL, volumes, seconds)
    default = class_volumes(model, clips, method, layer, DEFAULT_ALIGN).clamp(min=0)
    for name, draw in FACTORS.items():
        began = time.perf_counter()
        volumes = default * draw(clips)
        seconds = (time.perf_counter() - began) / len(clips)
        yield MapRow(f"{method} x {name}", layer, DEFAULT_ALIGN, CONTROL, volumes, seconds)
    [row] = own_rows(untrained(model), clips, [method], [layer], ["receptive-field"])
    yield replace(row, method=f"{method}, untrained", source=CONTROL)


def random_maps(clips: BenchmarkClips) -> Tensor:
    """Uniform noise on a CONTROL_GRID, interpolated: float32 (N, T, H, W)."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(len(clips), 1, *CONTROL_GRID, generator=generator)
    return F.interpolate(values, clips.masks.shape[1:], mode="trilinear", align_corners=False)[:, 0]


def centre_gaussian(clips: BenchmarkClips) -> Tensor:
    """A Gaussian in the middle of the clip; standard deviation a quarter of each side."""
    axes = [torch.linspace(-2, 2, length) for length in clips.masks.shape[1:]]
    t, y, x = (torch.exp(-0.5 * axis**2) for axis in axes)
    volume = t[:, None, None] * y[:, None] * x
    return volume.expand(len(clips), *volume.shape)


def frame_difference(clips: BenchmarkClips) -> Tensor:
    """The blurred change of each pixel from the frame before: float32 (N, T, H, W)."""
    return torch.from_numpy(np.stack([blurred_changes(frames) for frames in clips.frames]))


def edge_strength(clips: BenchmarkClips) -> Tensor:
    """The blurred size of each pixel's gradient in space: float32 (N, T, H, W)."""
    return torch.from_numpy(np.stack([blurred_edges(frames) for frames in clips.frames]))


def blurred_edges(frames: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W, 3) -> float32 (T, H, W)."""
    return np.stack([_blurred(_gradient_size(frame)) for frame in _grey(frames)])


def blurred_changes(frames: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W, 3) -> float32 (T, H, W); 0 in the first frame."""
    grey = _grey(frames)
    return np.stack([_blurred(frame) for frame in np.abs(np.diff(grey, axis=0, prepend=grey[:1]))])


def _grey(frames: np.ndarray) -> np.ndarray:
    return np.asarray(frames.astype(np.float32).mean(3))


def _gradient_size(grey: np.ndarray) -> np.ndarray:
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _blurred(picture: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), CONTROL_BLUR))


CONTROLS: dict[str, Callable[[BenchmarkClips], Tensor]] = {
    "random": random_maps,
    "centre Gaussian": centre_gaussian,
    "frame difference": frame_difference,
}
# The default map is multiplied with each of these.
FACTORS: dict[str, Callable[[BenchmarkClips], Tensor]] = {
    "frame difference": frame_difference,
    "edge strength": edge_strength,
}
