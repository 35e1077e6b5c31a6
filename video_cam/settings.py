"""From parsed arguments to options, look, device and network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from video_cam.console import Voice
from video_cam.errors import UsageError
from video_cam.look import Look
from video_cam.options import Options, make_options

if TYPE_CHECKING:
    from video_cam.models import Classifier
    from video_cam.video.limits import Limits


def options_of(parsed: argparse.Namespace) -> Options:
    """What to explain."""
    names = set(Options.__dataclass_fields__) - {"methods", "class_ids"}
    values = {name: getattr(parsed, name) for name in names}
    return make_options(values | {"methods": parsed.method, "class_ids": parsed.class_id})


def look_of(parsed: argparse.Namespace) -> Look:
    """How to draw it."""
    return Look(**{name: getattr(parsed, name) for name in Look.__dataclass_fields__})


def limits_of(parsed: argparse.Namespace) -> Limits:
    """What a file may ask for."""
    from video_cam.video.limits import Limits

    return Limits(parsed.max_pixels, parsed.max_frames)


def load(parsed: argparse.Namespace, voice: Voice) -> Classifier:
    """The network on its device; ``voice`` gets a line for each thing worth knowing."""
    from video_cam.models import load_model

    device = device_of(parsed, voice)
    model = load_model(
        parsed.model,
        parsed.weights,
        labels=parsed.labels,
        device=device,
        say=voice.say,
        trust_checkpoint=parsed.trust_checkpoint,
        **input_of(parsed),
    )
    default = _default_layer(model, options_of(parsed))
    voice.say(f"model {model.name} ({model.weights}) on {model.device}{default}")
    return model


def input_of(parsed: argparse.Namespace) -> dict[str, Any]:
    """What is said about the network's input, as load_model takes it."""
    size = parsed.size
    if size is not None and len(size) > 2:
        raise UsageError(f"--size {size} must be one side, or height and width")
    return {
        "num_frames": parsed.num_frames,
        "frame_rate": parsed.frame_rate,
        "size": None if size is None else (size[0], size[-1]),
        "mean": None if parsed.mean is None else tuple(parsed.mean),
        "std": None if parsed.std is None else tuple(parsed.std),
        "layout": parsed.layout_in,
        "score": parsed.score,
    }


def _default_layer(model: Classifier, options: Options) -> str:
    """The layer that was chosen for the user, and how its output was read."""
    if options.layers or options.conv_backcount or not model.layer:
        return ""
    size = (options.num_frames or model.num_frames, *model.preprocess.crop)
    return f", layer {model.layer} ({model.layers(size).folds[model.layer]})"


def device_of(parsed: argparse.Namespace, voice: Voice) -> str:
    """--device, else CUDA where it was asked for and is there, else the CPU."""
    import torch

    wanted = parsed.device or ("cuda" if parsed.use_cuda else "cpu")
    if wanted.split(":")[0] == "cuda" and not torch.cuda.is_available():
        voice.warn("there is no CUDA device; running on the CPU")
        return "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {wanted!r} cannot be used: try cpu, cuda or cuda:1") from error
    return wanted
