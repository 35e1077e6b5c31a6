"""The networks that come with the project; their code is in ``models3d``."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from torch import nn

from models3d import motion3d, texture3d, transformer3d
from models3d.drawn_clips import CLASSES
from models3d.frame_lstm import FrameLSTM
from models3d.light_clips import LIGHT_CLASSES
from models3d.residual3d import FRAME_RATE, MEAN, NUM_FRAMES, SIZE, STD
from models3d.texture_clips import TEXTURE_CLASSES
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import ModelSpec

BUNDLED = "motion3d"
BUNDLED_TEXTURE = "texture3d"
BUNDLED_TRANSFORMER = "transformer3d"


def _spec(
    build: Callable[[int], nn.Module],
    labels: tuple[str, ...],
    layer: str,
    pretrained: dict[str, Path],
) -> ModelSpec:
    return ModelSpec(
        build=build,
        pretrained=pretrained,
        labels=labels,
        num_frames=NUM_FRAMES,
        frame_rate=Fraction(FRAME_RATE),
        preprocess=Preprocess(SIZE, (SIZE, SIZE), MEAN, STD, "area"),
        where_layer=layer,
        when_layer=layer,
    )


SPECS = {
    BUNDLED: _spec(
        motion3d.Motion3D, CLASSES, "layer4", {"DRAWN_MOTION_V1": motion3d.WEIGHTS_FILE}
    ),
    BUNDLED_TEXTURE: _spec(
        texture3d.Texture3D, TEXTURE_CLASSES, "layer4", {"DRAWN_TEXTURE_V1": texture3d.WEIGHTS_FILE}
    ),
    BUNDLED_TRANSFORMER: _spec(
        transformer3d.Transformer3D,
        LIGHT_CLASSES,
        f"blocks.{transformer3d.DEPTH - 1}.norm1",  # the head reads the class token alone
        {"DRAWN_LIGHT_V1": transformer3d.WEIGHTS_FILE},
    ),
    "frame_lstm": _spec(FrameLSTM, CLASSES, "cnn", {}),
}
