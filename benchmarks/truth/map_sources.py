"""The maps that are measured: this project's, and controls. Other tools' are in ``peers``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import video_cam
from benchmarks.truth.benchmark_clips import BenchmarkClips
from video_cam import ActivationMap
from video_cam.config import ALIGNMENT_NAMES, AttributionConfig
from video_cam.models.classifier import Classifier
from video_cam.models.registry import load_model

CONTROL_GRID = (4, 4, 4)  # (T', H', W') of random maps, as for layer4
DIFFERENCE_BLUR = 3.0  # standard deviation in pixels
OWN, CONTROL = "video_cam", "control"
DEFAULT_ALIGN = AttributionConfig.align


@dataclass(frozen=True)
class MapRow:
    """The maps of all clips for one row of the table.

    Attributes:
        method: name of the method or control.
        layer: empty where the maps are of no layer.
        align: how the cell centres were found; empty where there are no cells.
        source: OWN, CONTROL or the name of another tool.
        volumes: float32 (N, T, H, W), signed, on the clips' own grid.
        seconds: per clip, to compute the maps and to upsample them.
    """

    method: str
    layer: str
    align: str
    source: str
    volumes: Tensor
    seconds: float

    @property
    def is_control(self) -> bool:
        """Whether the maps are of a control."""
        return self.source == CONTROL


def own_rows(
    model: Classifier,
    clips: BenchmarkClips,
    methods: Sequence[str],
    layers: Sequence[str],
    alignments: Sequence[str] = ALIGNMENT_NAMES,
) -> Iterator[MapRow]:
    """This project's maps, nested method, then layer, then alignment.

    The maps are computed once and upsampled from the cell centres of every alignment.
    """
    x = clips.x[:1].to(model.device)
    aligned: dict[str, dict[str, ActivationMap]] = {}
    align_seconds: dict[str, float] = {}
    for align in alignments:
        began = time.perf_counter()
        one_clip = video_cam.compute_cams(model.module, x, layers=layers, align=align)
        aligned[align] = {cam.layer: cam for cam in one_clip}
        align_seconds[align] = (time.perf_counter() - began) / len(clips)
    for method in methods:
        for layer in layers:
            began = time.perf_counter()
            values = _values(model, clips, method, layer)
            seconds = (time.perf_counter() - began) / len(clips)
            for align in alignments:
                began = time.perf_counter()
                volumes = _upsampled(aligned[align][layer], values)
                upsampling = (time.perf_counter() - began) / len(clips)
                total = seconds + align_seconds[align] + upsampling
                yield MapRow(method, layer, align, OWN, volumes, total)


def class_volumes(
    model: Classifier, clips: BenchmarkClips, method: str, layer: str, align: str
) -> Tensor:
    """Maps of the clips' target classes with one alignment: float32 (N, T, H, W), signed."""
    x = clips.x[:1].to(model.device)
    [cam] = video_cam.compute_cams(model.module, x, layers=[layer], align=align)
    return _upsampled(cam, _values(model, clips, method, layer))


def _values(model: Classifier, clips: BenchmarkClips, method: str, layer: str) -> Tensor:
    """Maps at the layer's resolution, float32 (N, T', H', W'), on the CPU."""
    parts = []
    for x, class_ids in clips.batches():
        [cam] = video_cam.compute_cams(
            model.module,
            x.to(model.device),
            layers=[layer],
            methods=[method],
            targets=[class_ids],
            # Has no effect on the values, and is the one that costs nothing.
            align="half-pixel",
        )
        parts.append(cam.values.cpu())
    return torch.cat(parts)


def _upsampled(aligned: ActivationMap, values: Tensor) -> Tensor:
    """``values`` from the cell centres of ``aligned`` to its input's grid."""
    return video_cam.upsample(replace(aligned, values=values), aligned.input_size)


def untrained(model: Classifier) -> Classifier:
    """The same network with random weights, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return load_model(model.name, "none", device=model.device)


def control_rows(
    model: Classifier, clips: BenchmarkClips, method: str, layer: str
) -> Iterator[MapRow]:
    """Maps that a useful map must be better than."""
    for name, draw in CONTROLS.items():
        began = time.perf_counter()
        volumes = draw(clips)
        seconds = (time.perf_counter() - began) / len(clips)
        yield MapRow(name, "", "", CONTROL, volumes, seconds)
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


def blurred_changes(frames: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W, 3) -> float32 (T, H, W); 0 in the first frame."""
    grey = frames.astype(np.float32).mean(3)
    change = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    return np.stack([cv2.GaussianBlur(frame, (0, 0), DIFFERENCE_BLUR) for frame in change])


CONTROLS: dict[str, Callable[[BenchmarkClips], Tensor]] = {
    "random": random_maps,
    "centre Gaussian": centre_gaussian,
    "frame difference": frame_difference,
}
