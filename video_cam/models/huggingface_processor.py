"""The preprocessing that a processor of Hugging Face's transformers does, as a ``Preprocess``.

A processor's file says what differs from the defaults of its class, so that class is made of it.
Code that comes with a repository is not run: the class is one of the transformers package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from video_cam.models.preprocessing import Preprocess
from video_cam.models.spec import IMAGENET_MEAN, IMAGENET_STD
from video_cam.utils.notes import WARNING, Note

# A file that other files are nested in, those of processors of videos, and those of images.
NESTED_FILE = "processor_config.json"
VIDEO_FILE = "video_preprocessor_config.json"
IMAGE_FILE = "preprocessor_config.json"

# Networks of videos -> the class that published checkpoints of their kind name.
_CLASS_OF_VIDEOS = {
    "videomae": "VideoMAEImageProcessor",
    "timesformer": "VideoMAEImageProcessor",
    "vivit": "VivitImageProcessor",
    "vjepa2": "VJEPA2VideoProcessor",
}
_TYPES = ("video_processor_type", "image_processor_type", "feature_extractor_type")
_INTERPOLATIONS = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # by Pillow's numbers
_WARPED_FROM = 384  # side from which ConvNeXT's processor does not crop
# Classes whose own results these are, as tests hold: resize, centre crop, one factor, one mean.
COMPARED = (
    *("VideoMAEImageProcessor", "VideoMAEVideoProcessor", "TimesformerVideoProcessor"),
    *("VivitImageProcessor", "VivitVideoProcessor", "VJEPA2VideoProcessor"),
    *("BeitImageProcessor", "BitImageProcessor", "CLIPImageProcessor", "ConvNextImageProcessor"),
    *("DeiTImageProcessor", "EfficientNetImageProcessor", "MobileNetV1ImageProcessor"),
    *("MobileNetV2ImageProcessor", "PoolFormerImageProcessor", "PvtImageProcessor"),
    *("SegformerImageProcessor", "SiglipImageProcessor", "ViTImageProcessor"),
)
# Classes that move values by -1 without an entry that says so.
_WITH_OFFSET = ("VivitVideoProcessor",)
# Entries that are read.
_NAMES = (
    *("do_resize", "size", "resample", "crop_pct", "do_center_crop", "crop_size"),
    *("do_rescale", "rescale_factor", "offset", "rescale_offset"),
    *("do_normalize", "image_mean", "image_std", "include_top"),
)

Settings = Mapping[str, Any]
Three = tuple[float, float, float]


@dataclass(frozen=True)
class Processor:
    """What a network's processor does.

    Attributes:
        preprocess: resize, crop and normalisation.
        notes: what readers of the results must know of it.
    """

    preprocess: Preprocess
    notes: tuple[Note, ...] = ()


def without_processor(side: int | list[int]) -> Processor:
    """What is assumed of a network without a processor's file.

    Args:
        side: of its input, or (height, width).
    """
    size = _pair(side)
    preprocess = Preprocess(
        size, size, IMAGENET_MEAN, IMAGENET_STD, antialias=True, floored_crop=True
    )
    text = (
        f"no {IMAGE_FILE} or {VIDEO_FILE} with the network: frames are resized to "
        f"{size[0]}x{size[1]} and normalised with ImageNet's mean and standard deviation, which "
        "--size, --mean and --std change"
    )
    return Processor(preprocess, (Note(text, WARNING),))


def read_processor(settings: Settings, model_type: str, side: int | list[int]) -> Processor:
    """What a processor does, from the entries of its file.

    Args:
        settings: the file's content.
        model_type: the network's, as transformers names it.
        side: of the network's input, or (height, width).

    Raises:
        Exception: any, for a damaged file and for a filter of the resize that is not known here.
    """
    class_name = _class_name(settings, model_type)
    found = _with_defaults(settings, class_name)
    resize, crop, other = _sizes(found, settings, side)
    notes = [other] if other else []
    if class_name not in COMPARED:
        notes.append(
            f"processor {class_name or 'without a name'} is not one of those that were compared: "
            "frames are resized, cropped and normalised by the entries of its file",
        )
    mean, std = _normalization(found)
    if min(resize if isinstance(resize, tuple) else (resize, resize)) < min(crop):
        raise ValueError(f"a crop of {crop[0]}x{crop[1]} pixels of frames resized to {resize}")
    resample = found.get("resample", 2)
    interpolation = _INTERPOLATIONS.get(resample)
    if interpolation is None:
        raise ValueError(
            f"resample {resample!r} of its processor is none of Pillow's filters "
            f"{', '.join(f'{number} ({name})' for number, name in _INTERPOLATIONS.items())}"
        )
    preprocess = Preprocess(
        resize,
        crop,
        mean,
        std,
        interpolation=interpolation,
        antialias=True,
        floored_crop=True,
    )
    return Processor(preprocess, tuple(Note(text, WARNING) for text in notes))


def _with_defaults(settings: Settings, class_name: str) -> dict[str, Any]:
    """The settings, and for what they do not say those of the processor's class."""
    import transformers

    processor_class = getattr(transformers, class_name, None) if class_name else None
    if processor_class is None:
        return {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD, **settings}
    own = processor_class.from_dict(dict(settings))
    found = {name: getattr(own, name) for name in _NAMES if hasattr(own, name)}
    return found | ({"offset": True} if class_name in _WITH_OFFSET else {})


def _class_name(settings: Settings, model_type: str) -> str:
    """The name of the processor's class, as transformers has it today; empty for none."""
    named = next((settings[key] for key in _TYPES if settings.get(key)), None)
    if named is None:
        named = _CLASS_OF_VIDEOS.get(model_type, "")
    name = str(named).removesuffix("Fast").replace("FeatureExtractor", "ImageProcessor")
    return name if name.endswith(("ImageProcessor", "VideoProcessor")) else ""


def _sizes(
    found: Settings, settings: Settings, side: int | list[int]
) -> tuple[tuple[int, int] | int, tuple[int, int], str]:
    """The resize, the crop, and a note on what is not done as the processor does it."""
    own = _pair(side)
    if not {"size", "crop_size", "do_resize"} & {*settings}:
        return own, own, ""  # the class's own sizes are those of one network of many
    crop = _height_and_width(found.get("crop_size")) if found.get("do_center_crop") else None
    if "crop_size" in settings and crop is None and found.get("do_center_crop"):
        raise ValueError(f"crop_size {settings['crop_size']!r} is none")
    if not found.get("do_resize", True):
        crop = crop or own
        return min(crop), crop, "the processor does not resize; frames are, to the network's input"
    size = found.get("size")
    shortest = _entry(size, "shortest_edge")
    exact = _height_and_width(size)
    if exact is not None:
        return exact, crop or exact, ""
    if shortest is None:
        note = (
            "the processor's size is no height and width, and no shortest_edge: frames are resized "
            f"to {own[0]}x{own[1]}, the network's input"
        )
        return own, crop or own, "" if size is None else note
    share = found.get("crop_pct")
    if share and crop is None:
        if shortest >= _WARPED_FROM:
            return (shortest, shortest), (shortest, shortest), ""
        crop = (shortest, shortest)
    resize = int(shortest / share) if share else shortest
    if crop is not None:
        return resize, crop, ""
    note = (
        f"the processor does not crop; frames are cropped to {own[0]}x{own[1]}, the network's input"
    )
    return resize, own, note


def _normalization(found: Settings) -> tuple[Three, Three]:
    """Mean and standard deviation for values in [0, 1] that do what the processor does.

    It computes ((255 u f + o) - mean) / std of u in [0, 1], f being the factor and o the offset.
    """
    factor = found.get("rescale_factor", 1 / 255) if found.get("do_rescale", True) else 1.0
    if not isinstance(factor, int | float) or not 0 < factor < math.inf:
        raise ValueError(f"rescale_factor {factor!r} of its processor is no number above 0")
    scale = 255 * factor
    moved = found.get("do_rescale", True) and (found.get("offset") or found.get("rescale_offset"))
    offset = -1.0 if moved else 0.0
    mean, std = _three(0.0), _three(1.0)
    if found.get("do_normalize", True):
        mean, std = _three(found["image_mean"]), _three(found["image_std"])
        if found.get("include_top"):  # EfficientNet's divides once more
            mean, std = mean, _three([one**2 for one in std])
    red, green, blue = ((one - offset) / scale for one in mean)
    of_red, of_green, of_blue = (one / scale for one in std)
    return (red, green, blue), (of_red, of_green, of_blue)


def _three(numbers: Any) -> Three:
    """One number for each of three channels."""
    if isinstance(numbers, int | float):
        numbers = (numbers,) * 3
    red, green, blue = numbers
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
        raise ValueError(f"{numbers!r} are no three numbers")
    return float(red), float(green), float(blue)


def _height_and_width(size: Any) -> tuple[int, int] | None:
    """Of a size as processors keep it; None where it is no height and width."""
    if isinstance(size, int):
        return size, size
    height, width = _entry(size, "height"), _entry(size, "width")
    return None if height is None or width is None else (height, width)


def _entry(size: Any, name: str) -> Any:
    return size.get(name) if isinstance(size, dict) else getattr(size, name, None)


def _pair(side: int | list[int]) -> tuple[int, int]:
    if isinstance(side, list | tuple):
        height, width = side
        return height, width
    return side, side
