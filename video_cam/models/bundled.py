"""The networks that come with the project; their code is in ``models3d``."""

from __future__ import annotations

from fractions import Fraction

from models3d.frame_lstm import FrameLSTM
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
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import ModelSpec

BUNDLED = "motion3d"

SPECS = {
    BUNDLED: ModelSpec(
        build=Motion3D,
        pretrained={"DRAWN_MOTION_V1": WEIGHTS_FILE},
        labels=CLASSES,
        num_frames=NUM_FRAMES,
        frame_rate=Fraction(FRAME_RATE),
        preprocess=Preprocess(SIZE, (SIZE, SIZE), MEAN, STD, "area"),
        where_layer="layer4",
        when_layer="layer4",
    ),
    "frame_lstm": ModelSpec(
        build=FrameLSTM,
        pretrained={},
        labels=CLASSES,
        num_frames=NUM_FRAMES,
        frame_rate=Fraction(FRAME_RATE),
        preprocess=Preprocess(SIZE, (SIZE, SIZE), MEAN, STD, "area"),
        where_layer="cnn",
        when_layer="cnn",
    ),
}
