"""From parsed arguments to options, look, device and network."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from video_cam.cli.console import Voice
from video_cam.config import ExplainConfig, LimitsConfig, RenderConfig, make_explain_config
from video_cam.errors import UsageError

if TYPE_CHECKING:
    from video_cam.models.classifier import Classifier


def options_of(parsed: argparse.Namespace) -> ExplainConfig:
    """What to explain."""
    names = set(ExplainConfig.__dataclass_fields__) - {"methods", "class_ids"}
    values = {name: getattr(parsed, name) for name in names}
    from video_cam.models.user_code import find_function

    values["targets"] = [find_function(target) for target in parsed.targets]
    return make_explain_config(values | {"methods": parsed.method, "class_ids": parsed.class_id})


def look_of(parsed: argparse.Namespace) -> RenderConfig:
    """How to draw it."""
    return RenderConfig(
        **{name: getattr(parsed, name) for name in RenderConfig.__dataclass_fields__}
    )


def limits_of(parsed: argparse.Namespace) -> LimitsConfig:
    """What a file may ask for."""
    return LimitsConfig(parsed.max_pixels, parsed.max_frames)


def load(parsed: argparse.Namespace, voice: Voice) -> Classifier:
    """The network on its device; ``voice`` gets a line for each thing worth knowing."""
    from video_cam.models.registry import load_model

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
    layers = _layers(model, options_of(parsed))
    voice.say(f"model {model.name} ({model.weights}) on {model.device}{layers}")
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


def _layers(model: Classifier, options: ExplainConfig) -> str:
    """The layers that were chosen, where the user did not name them, and how they were read."""
    if options.layers is None and not options.conv_backcount and not model.layer:
        return ""
    size = (options.num_frames or model.num_frames, *model.preprocess.crop)
    chosen = model.layers(size, options.layers, options.conv_backcount)
    if chosen.names == tuple(map(str, options.layers or ())):
        return ""
    shown = ", ".join(f"{name} ({chosen.folds[name]})" for name in chosen.names)
    return f", {'layer' if len(chosen.names) == 1 else 'layers'} {shown}"


def fitting(options: ExplainConfig, model: Classifier, voice: Voice) -> ExplainConfig:
    """The options, in fp32 where the device would imitate bf16 at a hundredth of its speed."""
    if options.precision == "fp32" or model.device.type != "cpu" or cpu_computes_bf16():
        return options
    voice.warn("this processor does not compute in bf16; running in fp32")
    return replace(options, precision="fp32")


def cpu_computes_bf16() -> bool:
    """Whether PyTorch has bf16 kernels for this processor."""
    import torch

    return torch.backends.mkldnn.is_available() and bool(
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def _devices() -> list[str]:
    import torch

    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]


def device_of(parsed: argparse.Namespace, voice: Voice) -> str:
    """--device, which must be there; else CUDA if asked for and there, else the CPU."""
    import torch

    if not parsed.device and not parsed.use_cuda:
        return "cpu"
    if not parsed.device and not torch.cuda.is_available():
        voice.warn("there is no CUDA device; running on the CPU")
        return "cpu"
    wanted = parsed.device or "cuda"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"device {wanted!r} cannot be used; there are {', '.join(_devices())}"
        ) from error
    return wanted
