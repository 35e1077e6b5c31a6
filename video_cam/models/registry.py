"""``load_model``: a classifier by name, by path or from a network at hand.

Which files may run code:

- Weights (``weights=``) never do: .safetensors, and PyTorch files read with ``weights_only=True``.
- A saved network can: a .pt2 file (PyTorch's reader unpickles its sample inputs and evaluates
  strings) and a whole module in .pt, .pth, .ckpt or .bin (unpickling calls what the file names).
  Both are loaded only with ``trust_checkpoint=True``.
- ``file.py:factory`` and ``package.module:factory`` are the user's own code and are run; so is the
  configuration in ``mmaction:CONFIG.py``. That in ``slowfast:CONFIG.yaml`` is not.
- Code in a folder or repository of Hugging Face's transformers is never run; ``trust_checkpoint``
  does not change that.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.config import InputConfig
from video_cam.errors import UsageError
from video_cam.layers.hooks import frozen_evaluation
from video_cam.layers.trace import input_dtype
from video_cam.models import bundled
from video_cam.models.bundled import BUNDLED
from video_cam.models.classifier import Classifier, Labels, make_classifier
from video_cam.models.huggingface import huggingface_spec, is_repository
from video_cam.models.labels import count_labels
from video_cam.models.mmaction import PREFIX as MMACTION_PREFIX
from video_cam.models.mmaction import mmaction_spec
from video_cam.models.slowfast import PREFIX as SLOWFAST_PREFIX
from video_cam.models.slowfast import slowfast_spec
from video_cam.models.spec import ModelSpec
from video_cam.models.timm import PREFIX as TIMM_PREFIX
from video_cam.models.timm import timm_spec
from video_cam.models.user_code import names_in_file
from video_cam.models.user_network import is_user_network, load_user_network
from video_cam.models.weights import (
    WEIGHTS_SUFFIXES,
    WeightsUnavailable,
    download,
    load_state_dict,
    read_state_dict,
)
from video_cam.utils.names import check_names

# A source of networks: how names of its networks begin -> the function that finds their spec.
_SPEC_BY_PREFIX = {
    TIMM_PREFIX: timm_spec,
    MMACTION_PREFIX: mmaction_spec,
    SLOWFAST_PREFIX: slowfast_spec,
}
Device = torch.device | str | None

UNTRAINED = "untrained network: the maps mean nothing"
DEFAULT = "r3d_18"
STAND_IN = (
    f"by the bundled network {BUNDLED}, trained on drawn motions only, because weights for "
    f"{DEFAULT} were not available"
)
# Short names that other tools use.
ALIASES = {
    "resnet": "resnet50",
    "vgg": "vgg16",
    "densenet": "densenet121",
    "inception": "inception_v3",
}


@cache
def known_models() -> dict[str, ModelSpec]:
    """The networks that ``--list-models`` shows: the bundled ones and torchvision's, by name."""
    # Importing torchvision.models takes more than a second, which other networks need not spend.
    from video_cam.models.torchvision import IMAGE_SPECS, VIDEO_SPECS

    return bundled.SPECS | VIDEO_SPECS | IMAGE_SPECS


def load_model(
    name: str | Path | nn.Module | None = None,
    weights: str | Path | None = None,
    *,
    labels: Labels = None,
    device: Device = None,
    trust_checkpoint: bool = False,
    say: Callable[[str], None] = lambda message: None,
    **input_options: Any,
) -> Classifier:
    """A classifier with what turns a clip into its input, in evaluation mode.

    Args:
        name: a name of ``known_models()``; a folder or hub name of Hugging Face's transformers;
            ``timm:NAME``; ``mmaction:CONFIG.py``; ``slowfast:CONFIG.yaml``;
            ``package.module:factory`` or ``file.py:factory``; a saved network (.pt2, .pt); or an
            nn.Module, which is left in its mode. None: r3d_18 with Kinetics-400 weights where they
            are available, else the bundled network.
        weights: the name of a pretrained entry ("DEFAULT" is the first); a .pth, .pt or
            .safetensors file; "none" for random weights; None for the pretrained ones.
        labels: class names, or a label file; None for the network's own.
        device: None for the CPU; an nn.Module stays where it is.
        trust_checkpoint: a saved network may run code while it is loaded; see the module.
        say: gets one line where the bundled network is used because ``name`` is None and weights
            for r3d_18 are not available.
        input_options: fields of InputConfig, which replace the network's own.

    Raises:
        UsageError: for a name, file or option that does not exist or does not fit.
        WeightsUnavailable: where pretrained weights are neither on disk nor can be downloaded.
    """
    check_names("option", list(input_options), InputConfig.__dataclass_fields__)
    name = str(name) if isinstance(name, Path) else name
    weights = str(weights) if isinstance(weights, Path) else weights
    input_config = InputConfig(**input_options)
    if name is None:
        return _load_default(weights, labels, device, input_config, say)
    if isinstance(name, nn.Module) or is_user_network(name):
        return load_user_network(name, weights, labels, device, input_config, trust_checkpoint)
    return _load_known(name, weights, labels, device, input_config)


def _load_default(
    weights: str | None,
    labels: Labels,
    device: Device,
    input_config: InputConfig,
    say: Callable[[str], None],
) -> Classifier:
    try:
        return _load_known(DEFAULT, weights, labels, device, input_config)
    except WeightsUnavailable as reason:
        say(f"{reason}; using the bundled network {BUNDLED!r}, trained on drawn motions only")
    stand_in = _load_known(BUNDLED, None, labels, device, input_config)
    return replace(stand_in, note=STAND_IN)


def _load_known(
    name: str, weights: str | None, labels: Labels, device: Device, input_config: InputConfig
) -> Classifier:
    spec = _find_spec(name)
    state, weights_name = _find_weights(name, spec, weights)
    if state is None:
        module = spec.build(len(spec.labels) if labels is None else count_labels(labels))
    else:
        state = {k: v for k, v in state.items() if not k.startswith(spec.training_prefixes)}
        module = _build_for(spec, state)
        load_state_dict(module, state, weights_name)
    module.eval()
    module.to(device or "cpu")
    if next(module.parameters()).device.type == "cpu":
        _store_channels_last(module)
        prefixes = (TIMM_PREFIX, MMACTION_PREFIX, SLOWFAST_PREFIX)
        others = name.startswith(prefixes) or is_repository(name)
        if others and not _runs(module, spec):
            _store_contiguous(module)
    made = make_classifier(module, name, weights_name, spec, input_config, labels)
    return replace(made, code=spec.code)


def _store_channels_last(module: nn.Module) -> None:
    """Store convolution weights channels last, which CPUs compute faster.

    Scores differ in the seventh digit; ``python -m benchmarks.speed.pipeline precision`` measures
    what it saves.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in module.parameters():
        if parameter.ndim in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.ndim])


def _store_contiguous(module: nn.Module) -> None:
    """Store weights as they are loaded, for forwards that take views of convolutions' outputs."""
    for parameter in module.parameters():
        parameter.data = parameter.data.contiguous()


def _runs(module: nn.Module, spec: ModelSpec) -> bool:
    """Whether the forward runs on one frame, or one clip."""
    frames = 1 if spec.input_layout.layout == "frames" else spec.num_frames
    x = torch.zeros(1, 3, frames, *spec.preprocess.crop, dtype=input_dtype(module))
    try:
        with frozen_evaluation(module), torch.inference_mode():
            module(spec.input_layout.pack(x))
    except Exception:  # the network's own code may raise anything; the trace says what
        return False
    return True


def _find_spec(name: str) -> ModelSpec:
    if name in bundled.SPECS:
        return bundled.SPECS[name]
    for prefix, find in _SPEC_BY_PREFIX.items():
        if name.startswith(prefix):
            return find(name)
    name = ALIASES.get(name, name)
    if name in known_models():
        return known_models()[name]
    if is_repository(name):
        return huggingface_spec(name)
    if name.endswith(".py") and Path(name).is_file():
        names = names_in_file(Path(name))
        raise UsageError(
            f"{name!r} is a Python file: give the function or class in it that makes the network, "
            f"as {name}:{names[0] if names else 'NAME'} (it has {', '.join(names) or 'none'})"
        )
    similar = difflib.get_close_matches(name, known_models(), n=3, cutoff=0.5)
    raise UsageError(
        f"unknown model {name!r}: "
        + (f"did you mean {' or '.join(similar)}?" if similar else "see --list-models.")
        + " Or give file.py:factory, a saved network, or a folder of transformers"
    )


def _find_weights(
    name: str, spec: ModelSpec, weights: str | None
) -> tuple[dict[str, Tensor] | None, str]:
    """The state dict that ``weights`` means (None for random weights), and its name for people."""
    if weights == "none":
        return None, "none"
    if weights in (None, "DEFAULT") and not spec.pretrained:
        raise UsageError(
            f"{name} has no pretrained weights: give --weights a .pth or .safetensors file, or none"
        )
    if weights is None or weights == "DEFAULT":
        weights = next(iter(spec.pretrained))
    if weights in spec.pretrained:
        return _load_pretrained(name, spec.pretrained[weights]), weights
    if Path(weights).is_file():
        return read_state_dict(Path(weights)), Path(weights).name
    choices = "".join(f"{entry}, " for entry in spec.pretrained)
    choices = f"for {name} give {choices}a .pth or .safetensors file, or none"
    if Path(weights).suffix in WEIGHTS_SUFFIXES or len(Path(weights).parts) > 1:
        raise UsageError(f"no such weights file: {weights!r}; {choices}")
    raise UsageError(f"unknown weights {weights!r}: {choices}")


def _load_pretrained(name: str, source: Any) -> dict[str, Tensor]:
    """source: a value of ``ModelSpec.pretrained``."""
    if isinstance(source, Path):
        return read_state_dict(source)
    return source() if callable(source) else download(name, source)


def _build_for(spec: ModelSpec, state: dict[str, Tensor]) -> nn.Module:
    """The network with as many classes as a checkpoint has."""
    module = spec.build(len(spec.labels))
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    if all(state[name].shape == shape for name, shape in shapes.items() if name in state):
        return module
    return spec.build(_count_classes(spec, state))


def _count_classes(spec: ModelSpec, state: dict[str, Tensor]) -> int:
    """The number of classes of a checkpoint: the first axis of its classification head."""
    # The head's parameters are those whose shape changes with the number of classes.
    of_two, of_three = _shapes(spec, 2), _shapes(spec, 3)
    head = next(name for name in of_two if of_two[name] != of_three[name])
    if head not in state:
        return len(spec.labels)
    if 0 in state[head].shape or not state[head].ndim:
        raise UsageError(
            f"the weights have a {head} of shape {tuple(state[head].shape)}: expected one row for "
            "each class"
        )
    return state[head].shape[0]


def _shapes(spec: ModelSpec, classes: int) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in spec.build(classes).state_dict().items()}
