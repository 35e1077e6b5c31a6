"""torchvision's image classifiers, applied frame by frame; a clip's score is the mean of them."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torchvision.models
from torch import nn
from torchvision.models import get_model, get_model_weights, list_models

from video_cam.models.input_layout import Packing
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import FRAME_RATE, NUM_FRAMES, Row

# Heads that help in training alone; checkpoints have them, evaluation does not.
_AUXILIARY = {
    "inception_v3": ("AuxLogits.",),
    "googlenet": ("aux1.", "aux2."),
}
# Only the class token of a vision transformer's last block is read: the map is of what it reads.
_LAST_BLOCK = {
    "vit_b": "encoder.layers.encoder_layer_11.ln_1",
    "vit_l": "encoder.layers.encoder_layer_23.ln_1",
    "vit_h": "encoder.layers.encoder_layer_31.ln_1",
}


def _build(name: str, classes: int) -> nn.Module:
    options: dict[str, Any] = {"num_classes": classes}
    if name in _AUXILIARY:
        # As torchvision builds them for its own weights.
        options |= {"aux_logits": False, "transform_input": True, "init_weights": False}
    return get_model(name, weights=None, **options)


def _row(name: str) -> Row:
    entries = get_model_weights(name)
    entry = entries.DEFAULT
    preset = entry.transforms()
    crop = preset.crop_size[0]
    layer = _LAST_BLOCK.get(re.sub(r"_\d+$", "", name)) if name.startswith("vit") else None
    if name.startswith(("vgg", "alexnet", "squeezenet", "swin")):
        layer = "features"  # what follows it resizes, weighs or permutes the same places
    return Row(
        build=partial(_build, name),
        pretrained={entry.name: entry for entry in [entry, *entries]},
        labels=tuple(entry.meta["categories"]),
        num_frames=NUM_FRAMES,
        frame_rate=FRAME_RATE,
        preprocess=Preprocess(
            resize=preset.resize_size[0],
            crop=(crop, crop),
            mean=tuple(preset.mean),
            std=tuple(preset.std),
            interpolation=preset.interpolation.value,
        ),
        where=layer,
        when=layer,
        packing=Packing("frames"),
        unused=_AUXILIARY.get(name, ()),
    )


ROWS = {name: _row(name) for name in list_models(module=torchvision.models)}
