"""Classifiers of Hugging Face's transformers: from a local folder, or by their name on the hub.

Code that comes with a repository is never run, and ``trust_checkpoint`` does not change that:
every call that reads a configuration or a network passes ``trust_remote_code=False``. Without it,
transformers asks on stdin whether to run the code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from video_cam.errors import UsageError, first_line
from video_cam.models.hub import damaged, from_disk_or_hub, import_transformers
from video_cam.models.input_layout import InputLayout
from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import FRAME_RATE, IMAGENET_MEAN, IMAGENET_STD, NUM_FRAMES, ModelSpec
from video_cam.models.text.families import FAMILIES
from video_cam.utils.files import read_regular
from video_cam.utils.strict_json import parse_json

MAX_CONFIG_BYTES = 2**24
MAX_INPUT_SIDE = 2**14  # pixels, or frames

_PROCESSOR_FILES = ("preprocessor_config.json", "video_preprocessor_config.json")


@dataclass(frozen=True)
class _Family:
    """What the configuration files of a family of video networks do not say.

    Attributes:
        frame_rate: frames per second of the input, as the published checkpoints were trained on
            clips of 30 frames per second.
        layer: the default layer, ``{last}`` being the number of the last block. It is the input
            of the last block's attention where the head reads only a class token.
        space_first: as in ModelSpec.
    """

    frame_rate: Fraction
    layer: str
    space_first: bool = False


_VIDEO_FAMILIES = {
    "videomae": _Family(Fraction(15, 2), "videomae.encoder.layer.{last}"),
    "timesformer": _Family(
        Fraction(15, 16), "timesformer.encoder.layer.{last}.layernorm_before", space_first=True
    ),
    "vivit": _Family(Fraction(15), "vivit.{blocks}.{last}.layernorm_before"),
    "vjepa2": _Family(Fraction(15, 2), "vjepa2.encoder.layernorm"),
}


def is_repository(text: str) -> bool:
    """Whether ``text`` is a folder with a config.json, or written owner/name as on the hub."""
    if Path(text).is_dir():
        return (Path(text) / "config.json").is_file()
    return re.fullmatch(r"[\w.-]+/[\w.-]+", text) is not None and not Path(text).exists()


def huggingface_spec(name: str) -> ModelSpec:
    """The spec of a classifier of images or videos, from its configuration files.

    Args:
        name: a folder as ``save_pretrained`` writes it, or owner/name on the hub.

    Raises:
        UsageError: for another kind of network, for files that are damaged, and where transformers
            is not installed.
        WeightsUnavailable: for a name that is neither on disk nor can be downloaded.
    """
    try:
        spec = _spec(name)
    except UsageError:
        raise
    except Exception as error:  # configuration files with other entries than expected
        raise damaged(name, error) from error
    if not is_possible(spec):
        raise damaged(name, ValueError("its input or its labels are impossible"))
    return spec


def is_possible(spec: ModelSpec) -> bool:
    """Whether the sizes, numbers and labels from the files are some."""
    preprocess = spec.preprocess
    resize = preprocess.resize if isinstance(preprocess.resize, tuple) else (preprocess.resize,)
    sides = [spec.num_frames, *resize, *preprocess.crop]
    numbers = [*preprocess.mean, *preprocess.std]
    return (
        all(type(side) is int and 1 <= side <= MAX_INPUT_SIDE for side in sides)
        and len(numbers) == 6
        and all(isinstance(number, int | float) for number in numbers)
        and all(preprocess.std)
        and all(isinstance(label, str) for label in spec.labels)
    )


def _spec(name: str) -> ModelSpec:
    """``huggingface_spec``, which may raise anything for damaged files."""
    transformers = import_transformers()
    load_config = partial(transformers.AutoConfig.from_pretrained, name, trust_remote_code=False)
    config = from_disk_or_hub(name, load_config)
    network_class, input_layout = _network_class(name, config)
    family = _VIDEO_FAMILIES.get(config.model_type)

    def pretrained() -> dict[str, Any]:
        load = partial(network_class.from_pretrained, name, trust_remote_code=False)
        return from_disk_or_hub(name, load).state_dict()

    layer = None if family is None else _default_layer(family, config)
    return ModelSpec(
        build=partial(_build, name, network_class, config),
        pretrained={"PRETRAINED": pretrained},
        labels=tuple(config.id2label[i] for i in range(config.num_labels)),
        num_frames=_first_attribute(config, ("num_frames", "frames_per_clip"), NUM_FRAMES),
        frame_rate=FRAME_RATE if family is None else family.frame_rate,
        preprocess=preprocess_of(name, config),
        where_layer=layer,
        when_layer=layer,
        input_layout=input_layout,
        space_first=family is not None and family.space_first,
        code=hashlib.sha256(config.to_json_string().encode()).hexdigest(),
    )


def _network_class(name: str, config: Any) -> tuple[Any, InputLayout]:
    """The class of transformers that builds and loads the network, and what its forward takes."""
    transformers = import_transformers()
    architecture = (config.architectures or [""])[0]
    if architecture.endswith("ForImageClassification"):
        return transformers.AutoModelForImageClassification, InputLayout("frames")
    if config.model_type in _VIDEO_FAMILIES:
        return transformers.AutoModelForVideoClassification, InputLayout("NTCHW")
    if config.model_type in FAMILIES:
        raise UsageError(
            f"{name!r} compares clips with texts: give --text with what to look for, as --text "
            "'pouring water' 'holding a cup'"
        )
    known = ", ".join(_VIDEO_FAMILIES)
    raise UsageError(
        f"{name!r} is a {config.model_type} {architecture}, expected a classifier of images or "
        f"of the kinds {known}: load it in a file.py:factory and give --layout-in"
    )


def _build(name: str, network_class: Any, config: Any, classes: int) -> nn.Module:
    if classes != config.num_labels:
        config.num_labels = classes
    try:
        return network_class.from_config(config, trust_remote_code=False)
    except Exception as error:  # a configuration can ask for anything
        raise UsageError(f"{name!r} cannot be built: {first_line(error)}") from error


def _default_layer(family: _Family, config: Any) -> str:
    last = config.num_hidden_layers - 1
    layer = family.layer.format(last=last, blocks=_vivit_blocks())
    if config.model_type == "videomae" and not config.use_mean_pooling:
        layer += ".layernorm_before"  # the head reads one token, not the mean over all
    return layer


def _vivit_blocks() -> str:
    """The name of ViViT's list of blocks, which transformers 5 changed."""
    major = int(import_transformers().__version__.split(".")[0])
    return "layers" if major >= 5 else "encoder.layer"


def preprocess_of(
    name: str, config: Any, defaults: Mapping[str, Any] = MappingProxyType({})
) -> Preprocess:
    """From the preprocessing file beside the weights, else from the network's configuration.

    Args:
        name: a folder, or owner/name on the hub.
        config: of the network.
        defaults: entries that the file need not have.
    """
    processor = {**defaults, **_processor(name)}
    side = _first_attribute(config, ("crop_size", "image_size"), 224)
    crop = None
    if processor.get("do_center_crop", True):
        crop = _height_and_width(processor.get("crop_size"), side)
    size = processor.get("size")
    shortest_edge = size.get("shortest_edge") if isinstance(size, dict) else None
    resize = shortest_edge if shortest_edge else _height_and_width(size, side)
    return Preprocess(
        resize=resize,
        crop=crop or (resize if isinstance(resize, tuple) else (side, side)),
        mean=tuple(processor.get("image_mean") or IMAGENET_MEAN),
        std=tuple(processor.get("image_std") or IMAGENET_STD),
    )


def _height_and_width(size: Any, default: int | list[int]) -> tuple[int, int]:
    """Of a size as configuration files write it: a number, a dict, or nothing known."""
    if isinstance(size, dict) and "height" in size:
        return size["height"], size["width"]
    if isinstance(size, int):
        return size, size
    if isinstance(default, list | tuple):
        return default[0], default[1]
    return default, default


def _processor(name: str) -> dict[str, Any]:
    """The content of the network's preprocessing file; empty where there is none."""
    from transformers.utils import cached_file

    for file in _PROCESSOR_FILES:
        try:
            path = from_disk_or_hub(name, partial(cached_file, name, file), file)
        except UsageError:
            continue
        if path is not None:
            processor = parse_json(read_regular(path, MAX_CONFIG_BYTES))
            if not isinstance(processor, dict):
                raise ValueError(f"{file} holds no settings")
            return processor
    return {}


def _first_attribute(config: Any, names: tuple[str, ...], default: int) -> Any:
    return next((getattr(config, n) for n in names if getattr(config, n, None)), default)
