"""Maps of other tools, upsampled to the clip's size by each tool's own function."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.map_sources import MapRow
from benchmarks.truth.peer_classes import CAPTUM, NOT_ON_CLIPS, PYTORCH_GRAD_CAM, TORCHCAM
from video_cam.errors import UsageError
from video_cam.models.classifier import Classifier


def pytorch_grad_cam(
    model: Classifier, x: Tensor, class_ids: list[int], method: str, layer: str
) -> Tensor:
    """pytorch-grad-cam: upsamples by itself, with a spline and aligned corners.

    Args:
        model: the network.
        x: float32 (N, C, T, H, W).
        class_ids: N target classes.
        method: a key of PYTORCH_GRAD_CAM.
        layer: name of a module.

    Returns:
        float (N, T, H, W).
    """
    package = _package("pytorch_grad_cam", "grad-cam")
    targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
    make = getattr(package, PYTORCH_GRAD_CAM[method])
    with make(model=model.module, target_layers=[model.module.get_submodule(layer)]) as cam:
        volumes = cam(x, [targets.ClassifierOutputTarget(class_id) for class_id in class_ids])
    return torch.from_numpy(np.ascontiguousarray(volumes))


def captum(model: Classifier, x: Tensor, class_ids: list[int], method: str, layer: str) -> Tensor:
    """Captum: LayerAttribution.interpolate with its default, nearest. See ``pytorch_grad_cam``."""
    package = _package("captum.attr", "captum")
    cam = getattr(package, CAPTUM[method])(model.module, model.module.get_submodule(layer))
    values = cam.attribute(x, target=torch.tensor(class_ids))
    return package.LayerAttribution.interpolate(values, tuple(x.shape[2:]))[:, 0].detach()


def torchcam(model: Classifier, x: Tensor, class_ids: list[int], method: str, layer: str) -> Tensor:
    """torchcam: does not upsample; linear, half-pixel, like its fuse_cams between layers.

    Arguments and result as for ``pytorch_grad_cam``.
    """
    package = _package("torchcam.methods", "torchcam")
    with getattr(package, TORCHCAM[method])(model.module, target_layer=layer) as cam:
        [values] = cam(list(class_ids), model.module(x))
    size = tuple(x.shape[2:])
    volumes = F.interpolate(values[:, None], size, mode="trilinear", align_corners=False)
    return volumes[:, 0].detach()


ComputeMaps = Callable[[Classifier, Tensor, list[int], str, str], Tensor]
PEERS: dict[str, tuple[dict[str, str], ComputeMaps]] = {
    "pytorch-grad-cam": (PYTORCH_GRAD_CAM, pytorch_grad_cam),
    "captum": (CAPTUM, captum),
    "torchcam": (TORCHCAM, torchcam),
}


def peer_rows(
    model: Classifier, clips: BenchmarkClips, methods: Sequence[str], layers: Sequence[str]
) -> Iterator[MapRow]:
    """The maps of every other tool, for those of the methods that it has."""
    for method in methods:
        for peer in peers_with(method):
            _, compute = PEERS[peer]
            for layer in layers:
                began = time.perf_counter()
                volumes = torch.cat(
                    [compute(model, x, ids, method, layer) for x, ids in clips.batches()]
                )
                seconds = (time.perf_counter() - began) / len(clips)
                yield MapRow(method, layer, "its own", peer, volumes.float(), seconds)


def peers_with(method: str) -> list[str]:
    """The tools that have a method which works on clips."""
    return [
        peer
        for peer, (classes, _) in PEERS.items()
        if method in classes and method not in NOT_ON_CLIPS
    ]


def check_installed() -> None:
    """Raise UsageError, which says what to install, where one of the tools is missing."""
    _package("pytorch_grad_cam", "grad-cam")
    _package("captum.attr", "captum")
    _package("torchcam.methods", "torchcam")


def _package(name: str, distribution: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"--peers needs {distribution}, which is not installed: pip install {distribution}"
        ) from error
