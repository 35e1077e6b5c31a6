"""``load_model``: a classifier by name, by path or from a network at hand.

Which files may run code:

- Weights (``weights=``) never do: objects beside the tensors are not created.
- A saved network can: a .pt2 file (PyTorch's reader unpickles its sample inputs and evaluates
  strings), TorchScript (a program) and a whole module in .pt, .pth, .ckpt or .bin (unpickling calls
  what the file names). They are loaded only with ``trust_checkpoint=True``.
- An .onnx file never does: ONNX Runtime computes with its own operators, and libraries of further
  ones are not loaded.
- ``file.py:factory`` and ``package.module:factory`` are the user's own code and are run; so is the
  configuration in ``mmaction:CONFIG.py``. That in ``slowfast:CONFIG.yaml`` is not.
- Code in a folder or repository of Hugging Face's transformers is never run; ``trust_checkpoint``
  does not change that.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

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
from video_cam.models.onnx import is_onnx
from video_cam.models.slowfast import PREFIX as SLOWFAST_PREFIX
from video_cam.models.slowfast import slowfast_spec
from video_cam.models.spec import ModelSpec
from video_cam.models.state_dict_matching import StateDict
from video_cam.models.text.text_spec import no_text_part, text_spec
from video_cam.models.timm import PREFIX as TIMM_PREFIX
from video_cam.models.timm import timm_spec
from video_cam.models.trained import build_trained, networks_that_fit
from video_cam.models.user_code import names_in_file
from video_cam.models.user_network import is_user_network, load_user_network
from video_cam.models.weights import (
    WEIGHTS_SUFFIXES,
    WeightsUnavailable,
    download,
    read_state_dicts,
)
from video_cam.text_config import DEFAULT_NETWORK, TextConfig, make_text_config
from video_cam.utils.field_types import check_is, shown_value
from video_cam.utils.names import check_names
from video_cam.utils.notes import WARNING, Note

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
    name: str | Path | nn.Module | Callable[..., Any] | None = None,
    weights: str | Path | None = None,
    *,
    labels: Labels = None,
    device: Device = None,
    trust_checkpoint: bool = False,
    allow_partial: bool = False,
    say: Callable[[str], None] = lambda message: None,
    text: str | Sequence[str] | None = None,
    text_template: str | Sequence[str] = (),
    text_negative: str | Sequence[str] = (),
    **input_options: Any,
) -> Classifier:
    """A classifier with what turns a clip into its input, in evaluation mode.

    Args:
        name: a name of ``known_models()``; a folder or hub name of Hugging Face's transformers;
            ``timm:NAME``; ``mmaction:CONFIG.py``; ``slowfast:CONFIG.yaml``;
            ``package.module:factory`` or ``file.py:factory``; a saved network (.pt2, .pt, .onnx);
            an nn.Module, which is left in its mode; or a function from a clip to scores. None:
            r3d_18 with Kinetics-400 weights where they are available, else the bundled network.
        weights: the name of a pretrained entry ("DEFAULT" is the first); a .pth, .ckpt,
            .safetensors or such file; "none" for random weights; None for the pretrained ones.
        labels: class names, or a label file; None for the network's own.
        device: None for the CPU; an nn.Module stays where it is, and a function moves its clip.
        trust_checkpoint: a saved network may run code while it is loaded; see the module.
        allow_partial: load of ``weights`` what fits; the rest of the network stays random.
        say: gets one line where the bundled network is used because ``name`` is None and weights
            for r3d_18 are not available.
        text: what is looked for, of a CLIP, SigLIP or X-CLIP: these texts become the classes. With
            it, None as the name stands for openai/clip-vit-base-patch32.
        text_template: sentences with ``{}`` in place of a text, whose encodings are averaged; empty
            for the network's own, which docs/transformers.md tells.
        text_negative: further texts that those of ``text`` are compared with.
        input_options: fields of InputConfig, which replace the network's own.

    Raises:
        UsageError: for a name, file or option that does not exist or does not fit.
        WeightsUnavailable: where pretrained weights are neither on disk nor can be downloaded.
    """
    check_names("option", list(input_options), InputConfig.__dataclass_fields__)
    if name is not None and (isinstance(name, type) or not callable(name)):
        what = "a name, a path, an nn.Module, or a function from a clip to scores"
        check_is("the network", name, str | Path, what)
    if weights is not None:
        check_is("weights", weights, str | Path, "the name of weights or a path")
    if labels is not None:
        check_is("labels", labels, Iterable | Path, "class names, or the path of a label file")
    if device is not None and not is_onnx(str(name)):
        _check_device(device)
    name = str(name) if isinstance(name, Path) else name
    weights = str(weights) if isinstance(weights, Path) else weights
    input_config = InputConfig(**input_options)
    texts = make_text_config(text, text_template, text_negative)
    if texts is not None:
        return _load_with_texts(name, weights, texts, labels, device, input_config, allow_partial)
    if name is None:
        return _load_default(weights, labels, device, input_config, say)
    allowed = (trust_checkpoint, allow_partial)
    if not isinstance(name, str) or is_user_network(name):
        return load_user_network(name, weights, labels, device, input_config, *allowed)
    return _load_known(name, weights, labels, device, input_config, allow_partial)


def _check_device(device: Any) -> None:
    """Raise UsageError for what is no device, or none that PyTorch can use here."""
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError, TypeError) as error:  # PyTorch raises each of them
        raise UsageError(
            f"device {shown_value(device)} cannot be used; give cpu, cuda, cuda:1 or mps where "
            "PyTorch has it"
        ) from error


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
    return replace(stand_in, notes=(Note(STAND_IN, WARNING),))


def _load_with_texts(
    name: Any,
    weights: str | None,
    texts: TextConfig,
    labels: Labels,
    device: Device,
    input_config: InputConfig,
    allow_partial: bool,
) -> Classifier:
    if labels is not None:
        raise UsageError("the texts are the names of the classes: leave labels out")
    name = DEFAULT_NETWORK if name is None else name
    if not isinstance(name, str):
        raise no_text_part("the network", f"a {type(name).__name__} at hand")
    if not is_user_network(name) and not is_repository(name):
        _find_spec(name)  # an unknown name has a message of its own
    if is_user_network(name) or not is_repository(name):
        raise no_text_part(repr(name), "no network of transformers")
    spec = text_spec(name, texts)
    return _load_spec(name, spec, weights, None, device, input_config, allow_partial)


def _load_known(
    name: str,
    weights: str | None,
    labels: Labels,
    device: Device,
    input_config: InputConfig,
    allow_partial: bool = False,
) -> Classifier:
    spec = _find_spec(name)
    return _load_spec(name, spec, weights, labels, device, input_config, allow_partial)


def _load_spec(
    name: str,
    spec: ModelSpec,
    weights: str | None,
    labels: Labels,
    device: Device,
    input_config: InputConfig,
    allow_partial: bool,
) -> Classifier:
    state_dicts, weights_name = _find_weights(name, spec, weights)
    notes = spec.notes
    if state_dicts is None:
        module = spec.build(len(spec.labels) if labels is None else count_labels(labels))
    else:
        try:
            module, of_weights = build_trained(spec, state_dicts, weights_name, allow_partial)
            notes = (*notes, *of_weights)
        except UsageError as error:
            raise UsageError(f"{error}{_hint(state_dicts)}") from error
    module.eval()
    module.to(device or "cpu")
    module = module if spec.finish is None else spec.finish(module)
    if next(module.parameters()).device.type == "cpu":
        _store_channels_last(module)
        prefixes = (TIMM_PREFIX, MMACTION_PREFIX, SLOWFAST_PREFIX)
        others = name.startswith(prefixes) or is_repository(name)
        if others and not _runs(module, spec):
            _store_contiguous(module)
    if input_config.score is None:
        input_config = replace(input_config, score=spec.score)
    made = make_classifier(module, name, weights_name, spec, input_config, labels)
    if labels is None and len(made.labels) != len(spec.labels):
        text = f"the weights are for {len(made.labels)} classes: --labels names them"
        notes = (*notes, Note(text))
    own = {name: getattr(spec, name) for name in ("code", "method", "num_texts")}
    return replace(made, notes=(*notes, *made.notes), **own)


def _hint(state_dicts: Mapping[str, StateDict]) -> str:
    """The names of networks that weights fit, for the message where they do not fit."""
    names = networks_that_fit(state_dicts, known_models())
    return f". They are weights of --model {' or '.join(names[:3])}" if names else ""


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
) -> tuple[dict[str, StateDict] | None, str]:
    """The state dicts that ``weights`` means (None for random weights), and its name for people."""
    if weights == "none":
        return None, "none"
    if weights in (None, "DEFAULT") and not spec.pretrained:
        raise UsageError(
            f"{name} has no pretrained weights: give --weights a .pth or .safetensors file, or none"
        )
    if weights is None or weights == "DEFAULT":
        weights = next(iter(spec.pretrained))
    if weights in spec.pretrained:
        return {"": _load_pretrained(name, spec.pretrained[weights])}, weights
    if Path(weights).is_file():
        return read_state_dicts(Path(weights)), Path(weights).name
    choices = "".join(f"{entry}, " for entry in spec.pretrained)
    choices = f"for {name} give {choices}a .pth or .safetensors file, or none"
    if Path(weights).suffix in WEIGHTS_SUFFIXES or len(Path(weights).parts) > 1:
        raise UsageError(f"no such weights file: {weights!r}; {choices}")
    raise UsageError(f"unknown weights {weights!r}: {choices}")


def _load_pretrained(name: str, source: Any) -> StateDict:
    """source: a value of ``ModelSpec.pretrained``."""
    if isinstance(source, Path):
        return next(iter(read_state_dicts(source).values()))
    return source() if callable(source) else download(name, source)
