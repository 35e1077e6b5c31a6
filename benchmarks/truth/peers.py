"""Other tools' maps, brought to the clip's size as each of them does it."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.truth.drawn_benchmark import Yardstick
from benchmarks.truth.peer_classes import CAPTUM, NOT_ON_CLIPS, PYTORCH_GRAD_CAM, TORCHCAM
from benchmarks.truth.sources import Row
from video_cam.errors import UsageError
from video_cam.models.classifier import Classifier


def pytorch_grad_cam(
    model: Classifier, x: Tensor, wanted: list[int], method: str, layer: str
) -> Tensor:
    """pytorch-grad-cam: it hands out maps of the input's size itself, spline zoom, corners."""
    package = _package("pytorch_grad_cam", "grad-cam")
    targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
    make = getattr(package, PYTORCH_GRAD_CAM[method])
    with make(model=model.module, target_layers=[model.module.get_submodule(layer)]) as cam:
        found = cam(x, [targets.ClassifierOutputTarget(class_id) for class_id in wanted])
    return torch.from_numpy(np.ascontiguousarray(found))


def captum(model: Classifier, x: Tensor, wanted: list[int], method: str, layer: str) -> Tensor:
    """Captum: its LayerAttribution.interpolate, by default the nearest cell."""
    package = _package("captum.attr", "captum")
    cam = getattr(package, CAPTUM[method])(model.module, model.module.get_submodule(layer))
    found = cam.attribute(x, target=torch.tensor(wanted))
    return package.LayerAttribution.interpolate(found, tuple(x.shape[2:]))[:, 0].detach()


def torchcam(model: Classifier, x: Tensor, wanted: list[int], method: str, layer: str) -> Tensor:
    """torchcam: maps stay small; between layers its fuse_cams interpolates linearly by halves."""
    package = _package("torchcam.methods", "torchcam")
    with getattr(package, TORCHCAM[method])(model.module, target_layer=layer) as cam:
        [found] = cam(list(wanted), model.module(x))
    size = tuple(x.shape[2:])
    return F.interpolate(found[:, None], size, mode="trilinear", align_corners=False)[:, 0].detach()


Make = Callable[[Classifier, Tensor, list[int], str, str], Tensor]
PEERS: dict[str, tuple[dict[str, str], Make]] = {
    "pytorch-grad-cam": (PYTORCH_GRAD_CAM, pytorch_grad_cam),
    "captum": (CAPTUM, captum),
    "torchcam": (TORCHCAM, torchcam),
}


def peer_rows(
    model: Classifier, clips: Yardstick, methods: Sequence[str], layers: Sequence[str]
) -> Iterator[Row]:
    """Every peer's maps for those of the methods that it has."""
    for method in methods:
        for peer in has_method(method):
            _, make = PEERS[peer]
            for layer in layers:
                began = time.perf_counter()
                volumes = torch.cat(
                    [make(model, x, wanted, method, layer) for x, wanted in clips.batches()]
                )
                seconds = (time.perf_counter() - began) / len(clips)
                yield Row(method, layer, "its own", peer, volumes.float(), seconds)


def has_method(method: str) -> list[str]:
    """The peers that can be asked for a method on clips."""
    return [p for p, (table, _) in PEERS.items() if method in table and method not in NOT_ON_CLIPS]


def check_installed() -> None:
    """UsageError, with what to install, where a peer is missing."""
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
