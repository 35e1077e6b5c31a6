"""timm's image classifiers, applied frame by frame: ``timm:NAME`` with any name timm knows."""

from __future__ import annotations

from typing import Any

from torch import nn

from video_cam.errors import UsageError
from video_cam.models.input_layout import Packing
from video_cam.models.preprocessing import INTERPOLATION, Preprocess
from video_cam.models.spec import FRAME_RATE, NUM_FRAMES, Row
from video_cam.models.weights import WeightsUnavailable
from video_cam.utils.names import nearest

PREFIX = "timm:"


def row(name: str) -> Row:
    """The row of ``timm:NAME``. Raises UsageError for a name that timm does not know."""
    timm = _import_timm()
    plain = name.removeprefix(PREFIX)
    if plain.split(".")[0] not in timm.list_models():
        raise UsageError(f"timm has no model {plain!r}: {nearest(plain, timm.list_models())}")
    config = timm.get_pretrained_cfg(plain)
    classes = config.num_classes or 1000

    def build(number: int) -> nn.Module:
        return timm.create_model(plain, pretrained=False, num_classes=number)

    def pretrained() -> dict[str, Any]:
        try:
            return timm.create_model(plain, pretrained=True).state_dict()
        except Exception as error:  # the hub's, the network's and the disk's errors alike
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise WeightsUnavailable(f"weights of {name} cannot be had: {reason}") from error

    side = config.input_size[-1]
    return Row(
        build=build,
        pretrained={"PRETRAINED": pretrained},
        labels=_labels(classes),
        num_frames=NUM_FRAMES,
        frame_rate=FRAME_RATE,
        preprocess=Preprocess(
            resize=round(side / config.crop_pct),
            crop=(side, side),
            mean=tuple(config.mean),
            std=tuple(config.std),
            interpolation=config.interpolation
            if config.interpolation in INTERPOLATION
            else "bilinear",
        ),
        packing=Packing("frames"),
    )


def _labels(classes: int) -> tuple[str, ...]:
    if classes == 1000:  # ImageNet-1k, in the order that all share
        from torchvision.models import ResNet50_Weights

        return tuple(ResNet50_Weights.DEFAULT.meta["categories"])
    return tuple(f"class {i}" for i in range(classes))


def _import_timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise UsageError("timm:NAME needs the package timm: pip install timm") from error
    return timm
