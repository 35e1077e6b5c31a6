"""timm's image classifiers, applied frame by frame: ``timm:NAME`` with any name timm knows."""

from __future__ import annotations

from typing import Any

from torch import nn

from video_cam.errors import UsageError, first_line
from video_cam.models.input_layout import InputLayout
from video_cam.models.preprocessing import Preprocess
from video_cam.models.resizing import INTERPOLATIONS
from video_cam.models.spec import FRAME_RATE, NUM_FRAMES, ModelSpec
from video_cam.models.weights import WeightsUnavailable
from video_cam.utils.names import nearest

PREFIX = "timm:"


def timm_spec(name: str) -> ModelSpec:
    """The spec of ``timm:NAME``, from timm's own configuration.

    Raises:
        UsageError: for a name that timm does not know, and where timm is not installed.
    """
    timm = _import_timm()
    timm_name = name.removeprefix(PREFIX)
    if timm_name.split(".")[0] not in timm.list_models():
        known = timm.list_models()
        raise UsageError(f"timm has no model {timm_name!r}: {nearest(timm_name, known)}")
    config = timm.get_pretrained_cfg(timm_name)

    def build(classes: int) -> nn.Module:
        return timm.create_model(timm_name, pretrained=False, num_classes=classes)

    def pretrained() -> dict[str, Any]:
        try:
            return timm.create_model(timm_name, pretrained=True).state_dict()
        except Exception as error:  # errors of the hub, of the connection and of the disk alike
            raise WeightsUnavailable(
                f"weights of {name} are not available: {first_line(error)}"
            ) from error

    known_interpolation = config.interpolation in INTERPOLATIONS
    side = config.input_size[-1]
    return ModelSpec(
        build=build,
        pretrained={"PRETRAINED": pretrained},
        labels=_labels(config.num_classes or 1000),
        num_frames=NUM_FRAMES,
        frame_rate=FRAME_RATE,
        preprocess=Preprocess(
            resize=int(side / config.crop_pct),
            crop=(side, side),
            mean=tuple(config.mean),
            std=tuple(config.std),
            interpolation=config.interpolation if known_interpolation else "bilinear",
            antialias=True,
        ),
        input_layout=InputLayout("frames"),
    )


def _labels(classes: int) -> tuple[str, ...]:
    if classes == 1000:  # ImageNet-1k; timm and torchvision order its classes alike
        from torchvision.models import ResNet50_Weights

        return tuple(ResNet50_Weights.DEFAULT.meta["categories"])
    return tuple(f"class {i}" for i in range(classes))


def _import_timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise UsageError("timm:NAME needs the package timm: pip install timm") from error
    return timm
