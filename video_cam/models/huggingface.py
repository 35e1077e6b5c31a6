"""Classifiers of Hugging Face's transformers: from a local folder, or by their name on the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from video_cam.errors import UsageError
from video_cam.models.input_layout import Packing
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import FRAME_RATE, IMAGENET_MEAN, IMAGENET_STD, NUM_FRAMES, Row
from video_cam.models.weights import WeightsUnavailable, why_no_download

_PROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")


@dataclass(frozen=True)
class _Family:
    """What a family's configurations do not say.

    frame_rate: as the published checkpoints were trained, on clips of 30 frames per second. layer:
    the default, {last} being the last block; it is the input of the block where only a class token
    is read of what it puts out.
    """

    frame_rate: Fraction
    layer: str
    space_first: bool = False


_FAMILIES = {
    "videomae": _Family(Fraction(15, 2), "videomae.encoder.layer.{last}"),
    "timesformer": _Family(
        Fraction(15, 16), "timesformer.encoder.layer.{last}.layernorm_before", space_first=True
    ),
    "vivit": _Family(Fraction(15), "vivit.{blocks}.{last}.layernorm_before"),
    "vjepa2": _Family(Fraction(15, 2), "vjepa2.encoder.layernorm"),
}


def is_name(text: str) -> bool:
    """Whether ``text`` is a folder with a config.json, or written owner/name as on the hub."""
    if Path(text).is_dir():
        return (Path(text) / "config.json").is_file()
    return re.fullmatch(r"[\w.-]+/[\w.-]+", text) is not None and not Path(text).exists()


def row(name: str) -> Row:
    """The row of a folder or hub name. Raises UsageError for what is no classifier of clips or
    images, WeightsUnavailable for a name that is neither on disk nor to be had."""
    transformers = _import_transformers()
    # trust_remote_code=False everywhere: transformers otherwise asks on stdin whether to run the
    # repository's own code.
    load_config = partial(transformers.AutoConfig.from_pretrained, name, trust_remote_code=False)
    config = _load(name, load_config)
    architecture = (config.architectures or [""])[0]
    family = _FAMILIES.get(config.model_type)
    if architecture.endswith("ForImageClassification"):
        factory, packing = transformers.AutoModelForImageClassification, Packing("frames")
    elif family is not None:
        factory, packing = transformers.AutoModelForVideoClassification, Packing("NTCHW")
    else:
        known = ", ".join(_FAMILIES)
        raise UsageError(
            f"{name!r} is a {config.model_type} {architecture}, expected a classifier of images or "
            f"of the kinds {known}: load it in a file.py:factory and give --layout-in"
        )

    def build(classes: int) -> nn.Module:
        if classes != config.num_labels:
            config.num_labels = classes
        return factory.from_config(config, trust_remote_code=False)

    def pretrained() -> dict[str, Any]:
        load = partial(factory.from_pretrained, name, trust_remote_code=False)
        return _load(name, load).state_dict()

    layer = None if family is None else _layer(family, config)
    return Row(
        build=build,
        pretrained={"PRETRAINED": pretrained},
        labels=tuple(config.id2label[i] for i in range(config.num_labels)),
        num_frames=_first(config, ("num_frames", "frames_per_clip"), NUM_FRAMES),
        frame_rate=FRAME_RATE if family is None else family.frame_rate,
        preprocess=_preprocess(name, config),
        where=layer,
        when=layer,
        packing=packing,
        space_first=family is not None and family.space_first,
    )


def _layer(family: _Family, config: Any) -> str:
    last = config.num_hidden_layers - 1
    layer = family.layer.format(last=last, blocks=_vivit_blocks())
    if config.model_type == "videomae" and not config.use_mean_pooling:
        layer += ".layernorm_before"  # one token is read, not their mean
    return layer


def _vivit_blocks() -> str:
    """ViViT's blocks were moved from encoder.layer to layers in transformers 5."""
    major = int(_import_transformers().__version__.split(".")[0])
    return "layers" if major >= 5 else "encoder.layer"


def _preprocess(name: str, config: Any) -> Preprocess:
    """From the processor's own file, else from the network's configuration."""
    found = _processor(name)
    side = _first(config, ("crop_size", "image_size"), 224)
    crop = _sides(found.get("crop_size"), side) if found.get("do_center_crop", True) else None
    size = found.get("size")
    edge = size.get("shortest_edge") if isinstance(size, dict) else None
    resize = edge if edge else _sides(size, side)
    return Preprocess(
        resize=resize,
        crop=crop or (resize if isinstance(resize, tuple) else (side, side)),
        mean=tuple(found.get("image_mean") or IMAGENET_MEAN),
        std=tuple(found.get("image_std") or IMAGENET_STD),
    )


def _sides(size: Any, side: int | list[int]) -> tuple[int, int]:
    if isinstance(size, dict) and "height" in size:
        return size["height"], size["width"]
    if isinstance(size, int):
        return size, size
    return (side[0], side[1]) if isinstance(side, list | tuple) else (side, side)


def _processor(name: str) -> dict[str, Any]:
    """What the network's preprocessing file says; empty where there is none."""
    from transformers.utils import cached_file

    for file in _PROCESSORS:
        try:
            path = _load(name, partial(cached_file, name, file), file)
        except UsageError:
            continue
        if path is not None:
            return json.loads(Path(path).read_text(encoding="utf-8"))
    return {}


def _first(config: Any, names: tuple[str, ...], otherwise: int) -> Any:
    return next((getattr(config, n) for n in names if getattr(config, n, None)), otherwise)


def _load(name: str, load: Callable[..., Any], file: str = "config.json") -> Any:
    """``load(local_files_only=...)``: from disk where it is there, else from the hub."""
    try:
        return load(local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        if Path(name).is_dir():
            raise UsageError(f"{name!r} cannot be loaded: {_first_line(error)}") from error
    # The hub's own client tries for half a minute before it says that there is no way.
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    reason = why_no_download(f"{address}/{name}/raw/main/{file}")
    if reason is None:
        try:
            return load(local_files_only=False)
        except (OSError, ValueError, RuntimeError) as error:
            reason = _first_line(error)
    raise WeightsUnavailable(f"{name!r} is neither on disk nor to be had from the hub ({reason})")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _import_transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise UsageError(
            "networks of the Hugging Face hub need the package transformers: pip install "
            "transformers"
        ) from error
    return transformers
