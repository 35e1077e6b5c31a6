"""torchvision's video classifiers, and its image classifiers applied frame by frame."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import partial
from typing import Any

import torchvision.models
from torch import nn
from torchvision.models import get_model, get_model_weights, list_models

from video_cam.models.input_layout import InputLayout
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import FRAME_RATE, NUM_FRAMES, ModelSpec

# Heads that only training uses; published checkpoints contain them.
_AUXILIARY_HEADS = {
    "inception_v3": ("AuxLogits.",),
    "googlenet": ("aux1.", "aux2."),
}
# Only the class token of a vision transformer's last block is read, so the map is made of the
# input of that block's attention.
_LAST_ATTENTION_INPUT = {
    "vit_b": "encoder.layers.encoder_layer_11.ln_1",
    "vit_l": "encoder.layers.encoder_layer_23.ln_1",
    "vit_h": "encoder.layers.encoder_layer_31.ln_1",
}


def _video_spec(
    name: str, num_frames: int, where_layer: str, when_layer: str, frame_rate: str = "15"
) -> ModelSpec:
    """The frame rate is that of torchvision's own evaluation."""
    entries = get_model_weights(name)
    preset = entries.DEFAULT.transforms()
    resize = tuple(preset.resize_size)
    return ModelSpec(
        build=partial(_build, name),
        pretrained=_by_name(entries),
        labels=tuple(entries.DEFAULT.meta["categories"]),
        num_frames=num_frames,
        frame_rate=Fraction(frame_rate),
        preprocess=Preprocess(
            resize=resize[0] if len(resize) == 1 else resize,
            crop=tuple(preset.crop_size),
            mean=tuple(preset.mean),
            std=tuple(preset.std),
        ),
        where_layer=where_layer,
        when_layer=when_layer,
    )


def _image_spec(name: str) -> ModelSpec:
    entries = get_model_weights(name)
    preset = entries.DEFAULT.transforms()
    crop = preset.crop_size[0]
    layer = _image_layer(name)
    return ModelSpec(
        build=partial(_build, name),
        pretrained=_by_name(entries),
        labels=tuple(entries.DEFAULT.meta["categories"]),
        num_frames=NUM_FRAMES,
        frame_rate=FRAME_RATE,
        preprocess=Preprocess(
            resize=preset.resize_size[0],
            crop=(crop, crop),
            mean=tuple(preset.mean),
            std=tuple(preset.std),
            interpolation=preset.interpolation.value,
            antialias=bool(preset.antialias),
        ),
        where_layer=layer,
        when_layer=layer,
        input_layout=InputLayout("frames"),
        training_prefixes=_AUXILIARY_HEADS.get(name, ()),
    )


def _build(name: str, classes: int) -> nn.Module:
    options: dict[str, Any] = {"num_classes": classes}
    if name in _AUXILIARY_HEADS:
        # As torchvision builds them for its own weights.
        options |= {"aux_logits": False, "transform_input": True, "init_weights": False}
    return get_model(name, weights=None, **options)


def _by_name(entries: Any) -> dict[str, Any]:
    """The weights entries, the default one first."""
    ordered: Iterable[Any] = [entries.DEFAULT, *entries]
    return {entry.name: entry for entry in ordered}


def _image_layer(name: str) -> str | None:
    if name.startswith(("vgg", "alexnet", "squeezenet", "swin")):
        return "features"  # later layers only resize, weight or permute the same grid
    if name.startswith("vit"):
        return _LAST_ATTENTION_INPUT.get(re.sub(r"_\d+$", "", name))
    return None


# MViT's head reads only the class token of the last block: see _LAST_ATTENTION_INPUT.
VIDEO_SPECS = {
    "r3d_18": _video_spec("r3d_18", 16, "layer4", "layer3"),
    "mc3_18": _video_spec("mc3_18", 16, "layer4", "layer4"),
    "r2plus1d_18": _video_spec("r2plus1d_18", 16, "layer4", "layer3"),
    "s3d": _video_spec("s3d", 128, "features", "features.12"),
    "mvit_v1_b": _video_spec("mvit_v1_b", 16, "blocks.15.norm1", "blocks.15.norm1", "7.5"),
    "mvit_v2_s": _video_spec("mvit_v2_s", 16, "blocks.15.norm1", "blocks.15.norm1", "7.5"),
    "swin3d_t": _video_spec("swin3d_t", 32, "features", "features"),
    "swin3d_s": _video_spec("swin3d_s", 32, "features", "features"),
    "swin3d_b": _video_spec("swin3d_b", 32, "features", "features"),
}
IMAGE_SPECS = {name: _image_spec(name) for name in list_models(module=torchvision.models)}
