"""Classifiers of Hugging Face's transformers: from a local folder, or by their name on the hub.

Code that comes with a repository is never run, and ``trust_checkpoint`` does not change that:
every call that reads a configuration or a network passes ``trust_remote_code=False``. Without it,
transformers asks on stdin whether to run the code.
"""

from __future__ import annotations

import hashlib
import re
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from video_cam.errors import UsageError
from video_cam.models.hub import (
    built,
    damaged,
    from_disk_or_hub,
    import_transformers,
    reading_files,
)
from video_cam.models.huggingface_processor import (
    IMAGE_FILE,
    NESTED_FILE,
    VIDEO_FILE,
    Processor,
    Settings,
    read_processor,
    without_processor,
)
from video_cam.models.huggingface_video import VIDEO_FAMILIES
from video_cam.models.input_layout import InputLayout
from video_cam.models.spec import FRAME_RATE, NUM_FRAMES, ModelSpec
from video_cam.models.text.families import FAMILIES
from video_cam.utils.files import read_regular
from video_cam.utils.strict_json import parse_json

MAX_CONFIG_BYTES = 2**24
MAX_INPUT_SIDE = 2**14  # pixels, or frames


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
    with reading_files(name):
        spec = _spec(name)
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
    family = VIDEO_FAMILIES.get(config.model_type)
    labels = tuple(config.id2label[i] for i in range(config.num_labels))
    num_frames = _first_attribute(config, ("num_frames", "frames_per_clip"), NUM_FRAMES)
    side = _first_attribute(config, ("crop_size", "image_size"), 224)
    processor = processor_of(name, config.model_type, side, is_video=family is not None)

    layer = None if family is None else family.default_layer(config)
    return ModelSpec(
        build=partial(_build, name, network_class, config),
        pretrained={"PRETRAINED": partial(_pretrained, name, network_class)},
        labels=labels,
        num_frames=num_frames,
        frame_rate=FRAME_RATE if family is None else family.frame_rate(num_frames, labels),
        preprocess=processor.preprocess,
        where_layer=layer,
        when_layer=layer,
        input_layout=input_layout,
        space_first=family is not None and family.space_first,
        code=hashlib.sha256(config.to_json_string().encode()).hexdigest(),
        notes=processor.notes,
    )


def _network_class(name: str, config: Any) -> tuple[Any, InputLayout]:
    """The class of transformers that builds and loads the network, and what its forward takes."""
    transformers = import_transformers()
    architecture = (config.architectures or [""])[0]
    if architecture.endswith("ForImageClassification"):
        return transformers.AutoModelForImageClassification, InputLayout("frames")
    if config.model_type in VIDEO_FAMILIES:
        return transformers.AutoModelForVideoClassification, InputLayout("NTCHW")
    if config.model_type in FAMILIES:
        raise UsageError(
            f"{name!r} compares clips with texts: give --text with what to look for, as --text "
            "'pouring water' 'holding a cup'"
        )
    known = ", ".join(VIDEO_FAMILIES)
    raise UsageError(
        f"{name!r} is a {config.model_type} {architecture}, expected a classifier of images or "
        f"of the kinds {known}: load it in a file.py:factory and give --layout-in"
    )


def _build(name: str, network_class: Any, config: Any, classes: int) -> nn.Module:
    if classes != config.num_labels:
        config.num_labels = classes
    return built(name, network_class, config)


def _pretrained(name: str, network_class: Any) -> dict[str, Any]:
    """The state dict, without what the weights lack, of which transformers makes random numbers."""
    load = partial(
        network_class.from_pretrained, name, trust_remote_code=False, output_loading_info=True
    )
    network, info = from_disk_or_hub(name, load)
    return {
        key: value for key, value in network.state_dict().items() if key not in info["missing_keys"]
    }


def processor_of(
    name: str,
    model_type: str,
    side: int | list[int],
    is_video: bool = False,
    assumed: Settings | None = None,
) -> Processor:
    """What the network's processor does; what is assumed where there is no file of one.

    Args:
        name: a folder, or owner/name on the hub.
        model_type: the network's, as transformers names it.
        side: of the network's input, or (height, width).
        is_video: whether processors of videos come before those of images.
        assumed: the file's content where there is none; None for the usual one of classifiers.
    """
    nested = _file(name, NESTED_FILE) or {}
    settings = nested.get("video_processor" if is_video else "image_processor")
    if settings is None and is_video:
        settings = _file(name, VIDEO_FILE)
    if settings is None:
        settings = _file(name, IMAGE_FILE)
    if settings is None:
        settings = assumed
    if settings is None:
        return without_processor(side)
    return read_processor(settings, model_type, side)


def _file(name: str, file: str) -> dict[str, Any] | None:
    """The content of one of the network's files of settings; None where there is none."""
    from transformers.utils import cached_file

    try:
        path = from_disk_or_hub(name, partial(cached_file, name, file), file)
    except UsageError:
        return None
    settings = None if path is None else parse_json(read_regular(path, MAX_CONFIG_BYTES))
    if path is not None and not isinstance(settings, dict):
        raise ValueError(f"{file} holds no settings")
    return settings


def _first_attribute(config: Any, names: tuple[str, ...], default: int) -> Any:
    return next((getattr(config, n) for n in names if getattr(config, n, None)), default)
