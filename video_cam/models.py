"""The classifiers that work by name: one table row each, and how their weights are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import video as torchvision_video

from models3d.motion3d import (
    CLASSES,
    FRAME_RATE,
    MEAN,
    NUM_FRAMES,
    SIZE,
    STD,
    WEIGHTS_FILE,
    Motion3D,
)
from video_cam.cam import to_grid
from video_cam.errors import UsageError
from video_cam.labels import read_labels
from video_cam.names import check_names
from video_cam.transforms import Preprocess
from video_cam.weights import WeightsUnavailable, download, fit_state_dict, read_state_dict

UNTRAINED = "untrained network: the maps mean nothing"
BUNDLED = "motion3d"
DEFAULT = "r3d_18"


@dataclass(frozen=True)
class Row:
    """What is known about a classifier by its name.

    build: number of classes -> network. pretrained: weight names -> where they come from (a
    torchvision weights entry, or a file). num_frames and frame_rate: what it was trained on.
    layer: the default layer. unpack: a layer's output -> (N, K, T', H', W').
    """

    build: Callable[[int], nn.Module]
    pretrained: dict[str, Any]
    labels: tuple[str, ...]
    num_frames: int
    frame_rate: Fraction
    preprocess: Preprocess
    layer: str
    unpack: Callable[[Tensor], Tensor] = to_grid


@dataclass(frozen=True)
class Classifier:
    """A network with all that turns a clip into its input and its output into names.

    weights: the name of an entry, a file's name, or "none". labels: one name per class.
    """

    module: nn.Module
    name: str
    weights: str
    labels: tuple[str, ...]
    num_frames: int
    frame_rate: Fraction
    preprocess: Preprocess
    layer: str
    unpack: Callable[[Tensor], Tensor]

    @property
    def trained(self) -> bool:
        """False for random weights."""
        return self.weights != "none"

    @property
    def device(self) -> torch.device:
        """Where the network's parameters are."""
        return next(self.module.parameters()).device


def load_model(
    name: str | None = None,
    weights: str | None = None,
    *,
    labels: str | Path | None = None,
    device: torch.device | str = "cpu",
    say: Callable[[str], None] = lambda message: None,
) -> Classifier:
    """The classifier called ``name`` with ``weights``, in evaluation mode on ``device``.

    weights: the name of a pretrained entry ("DEFAULT" is the first), a file (.pth, .pt or
    .safetensors), "none" for random ones, or None for the pretrained ones. Without a name:
    r3d_18 with Kinetics-400 weights where they can be had, else the bundled network; ``say``
    gets one line that tells which and why. Raises UsageError for what does not exist or fit.
    """
    if name is None:
        return _default_model(weights, labels, device, say)
    check_names("model", [name], MODELS)
    row = MODELS[name]
    state, weights_name = _find_weights(name, row, weights)
    names = row.labels if labels is None else read_labels(labels)
    classes = _num_classes(row, state) if state is not None else len(names)
    module = row.build(classes)
    if state is not None:
        fit_state_dict(module, state, weights_name)
    if labels is None and classes != len(names):
        names = tuple(f"class {i}" for i in range(classes))
    if len(names) != classes:
        raise UsageError(
            f"label file {str(labels)!r} has {len(names)} names, the network has {classes} classes"
        )
    return Classifier(
        module.eval().to(device),
        name,
        weights_name,
        names,
        row.num_frames,
        row.frame_rate,
        row.preprocess,
        row.layer,
        row.unpack,
    )


def _default_model(
    weights: str | None,
    labels: str | Path | None,
    device: torch.device | str,
    say: Callable[[str], None],
) -> Classifier:
    try:
        return load_model(DEFAULT, weights, labels=labels, device=device)
    except WeightsUnavailable as reason:
        say(f"{reason}; using the bundled network {BUNDLED!r}, which knows drawn motions only")
    return load_model(BUNDLED, labels=labels, device=device)


def _find_weights(name: str, row: Row, weights: str | None) -> tuple[dict[str, Tensor] | None, str]:
    """The state dict that ``weights`` names, and the name to show for it."""
    if weights == "none":
        return None, "none"
    if weights is None or weights == "DEFAULT":
        weights = next(iter(row.pretrained))
    if weights in row.pretrained:
        source = row.pretrained[weights]
        state = read_state_dict(source) if isinstance(source, Path) else download(name, source)
        return state, weights
    if Path(weights).is_file():
        return read_state_dict(Path(weights)), Path(weights).name
    raise UsageError(
        f"unknown weights {weights!r} for {name}: give one of {', '.join(row.pretrained)}, "
        "a .pth or .safetensors file, or none"
    )


def _num_classes(row: Row, state: dict[str, Tensor]) -> int:
    """The number of classes of a checkpoint: the length of its last bias of the right name."""
    # The head's parameters are those whose shape follows the number of classes.
    head = next(
        name
        for (name, ours), other in zip(
            _shapes(row, 2).items(), _shapes(row, 3).values(), strict=True
        )
        if ours != other
    )
    return state[head].shape[0] if head in state else len(row.labels)


def _shapes(row: Row, classes: int) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in row.build(classes).state_dict().items()}


def _torchvision_row(name: str, num_frames: int, layer: str) -> Row:
    """A row from torchvision's own weights entry. All were trained on 15 frames per second."""
    builder = getattr(torchvision_video, name)
    entries = torchvision_video.__dict__[f"{_WEIGHTS_PREFIX[name]}_Weights"]
    preset = entries.DEFAULT.transforms()
    return Row(
        build=lambda classes: builder(weights=None, num_classes=classes),
        pretrained={entry.name: entry for entry in entries},
        labels=tuple(entries.DEFAULT.meta["categories"]),
        num_frames=num_frames,
        frame_rate=Fraction(15),
        preprocess=Preprocess(
            resize=tuple(preset.resize_size),
            crop=tuple(preset.crop_size),
            mean=tuple(preset.mean),
            std=tuple(preset.std),
        ),
        layer=layer,
    )


_WEIGHTS_PREFIX = {
    "r3d_18": "R3D_18",
    "mc3_18": "MC3_18",
    "r2plus1d_18": "R2Plus1D_18",
    "s3d": "S3D",
}

MODELS: dict[str, Row] = {
    "r3d_18": _torchvision_row("r3d_18", 16, "layer4"),
    "mc3_18": _torchvision_row("mc3_18", 16, "layer4"),
    "r2plus1d_18": _torchvision_row("r2plus1d_18", 16, "layer4"),
    "s3d": _torchvision_row("s3d", 128, "features"),
    BUNDLED: Row(
        build=Motion3D,
        pretrained={"DRAWN_MOTION_V1": WEIGHTS_FILE},
        labels=CLASSES,
        num_frames=NUM_FRAMES,
        frame_rate=Fraction(FRAME_RATE),
        preprocess=Preprocess(SIZE, (SIZE, SIZE), MEAN, STD, "area"),
        layer="layer4",
    ),
}
