"""Where the table's maps come from: this project, its controls, its peers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

import video_cam
from benchmarks.truth.drawn_benchmark import BATCH, Yardstick
from video_cam import ActivationMap
from video_cam.layers.alignment import PLACEMENTS, cell_centres, interpolate, needs_measuring
from video_cam.layers.axes import to_grid
from video_cam.layers.cell_positions import find_chains
from video_cam.models.classifier import Classifier
from video_cam.models.registry import load_model

CONTROL_GRID = (4, 4, 4)  # of random maps: as coarse as layer4's
DIFFERENCE_BLUR = 3.0  # pixels, standard deviation
CONTROL = "control"


@dataclass(frozen=True)
class Row:
    """One row's maps: volumes float32 (N, T, H, W), signed.

    seconds: per clip, for the maps and for bringing them to the clip's size.
    """

    method: str
    layer: str
    align: str
    source: str
    volumes: Tensor
    seconds: float


def own_rows(
    model: Classifier, clips: Yardstick, methods: Sequence[str], layers: Sequence[str]
) -> Iterator[Row]:
    """This project's maps, for every placement of their cells."""
    size = tuple(clips.x.shape[2:])
    x = clips.x[:1].to(model.device)
    began = time.perf_counter()
    chains = find_chains(model.module, x, tuple(layers), to_grid, "probe")
    probing = (time.perf_counter() - began) / len(clips)
    for method in methods:
        for layer in layers:
            began = time.perf_counter()
            values = torch.cat(
                [cam.values.cpu() for cam in _cams(model, clips, clips.class_ids, method, layer)]
            )
            seconds = (time.perf_counter() - began) / len(clips)
            for align in PLACEMENTS:
                began = time.perf_counter()
                centres = cell_centres(values.shape[1:], size, chains[layer], align)
                volumes = interpolate(values, centres, size, size)
                placing = (time.perf_counter() - began) / len(clips)
                placing += probing if needs_measuring(align) else 0
                yield Row(method, layer, align, "video_cam", volumes, seconds + placing)


def first_volumes(
    model: Classifier, clips: Yardstick, class_ids: Sequence[int], method: str, layer: str
) -> Tensor:
    """Maps (N, T, H, W) of one class for each clip, cells placed as they are by default."""
    cams = _cams(model, clips, class_ids, method, layer)
    return torch.cat([video_cam.upsample(cam, clips.x.shape[2:]).cpu() for cam in cams])


def _cams(
    model: Classifier, clips: Yardstick, class_ids: Sequence[int], method: str, layer: str
) -> Iterator[ActivationMap]:
    for start in range(0, len(clips), BATCH):
        part = slice(start, start + BATCH)
        yield from video_cam.compute_cams(
            model.module,
            clips.x[part].to(model.device),
            layers=[layer],
            methods=[method],
            targets=[list(class_ids[part])],
        )


def untrained(model: Classifier) -> Classifier:
    """The same network with random weights, the same ones every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return load_model(model.name, "none", device=model.device)


def control_rows(model: Classifier, clips: Yardstick, method: str, layer: str) -> Iterator[Row]:
    """What a map has to beat."""
    for name, draw in CONTROLS.items():
        began = time.perf_counter()
        volumes = draw(clips)
        seconds = (time.perf_counter() - began) / len(clips)
        yield Row(name, "", "", CONTROL, volumes, seconds)
    row = next(own_rows(untrained(model), clips, [method], [layer]))
    yield Row(f"{method}, untrained", layer, row.align, CONTROL, row.volumes, row.seconds)


def random_maps(clips: Yardstick) -> Tensor:
    """Uniform noise on a grid as coarse as a late layer's."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(len(clips), *CONTROL_GRID, generator=generator)
    size = clips.masks.shape[1:]
    centres = cell_centres(CONTROL_GRID, size, [None] * 3, "half-pixel")
    return interpolate(values, centres, size, size)


def centre_gaussian(clips: Yardstick) -> Tensor:
    """The middle of the picture in the middle of the clip; deviation a quarter of each side."""
    axes = [torch.linspace(-2, 2, length) for length in clips.masks.shape[1:]]
    t, y, x = (torch.exp(-0.5 * axis**2) for axis in axes)
    volume = t[:, None, None] * y[:, None] * x
    return volume.expand(len(clips), *volume.shape)


def frame_difference(clips: Yardstick) -> Tensor:
    """How much each pixel changes from the frame before, blurred."""
    return torch.from_numpy(np.stack([changes(frames) for frames in clips.frames]))


def changes(frames: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W, 3) -> float32 (T, H, W); 0 in the first frame."""
    grey = frames.astype(np.float32).mean(3)
    moved = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    return np.stack([cv2.GaussianBlur(frame, (0, 0), DIFFERENCE_BLUR) for frame in moved])


CONTROLS: dict[str, Callable[[Yardstick], Tensor]] = {
    "random": random_maps,
    "centre Gaussian": centre_gaussian,
    "frame difference": frame_difference,
}
