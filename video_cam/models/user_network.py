"""A classifier from a network that the user brings: made by a factory, saved whole, or at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from video_cam.config import InputConfig
from video_cam.errors import UsageError
from video_cam.layers.hooks import unwrapped
from video_cam.layers.output_reading import SIGMOID, OutputReading
from video_cam.layers.scores_only import FunctionNetwork, ScoresOnly, ScriptedNetwork, as_network
from video_cam.models.classifier import Classifier, Labels, make_classifier
from video_cam.models.clip_mixing import NOTE, mixes_clips
from video_cam.models.onnx import is_onnx, load_onnx
from video_cam.models.saved_networks import is_saved_network, load_saved_network, takes_one_clip
from video_cam.models.scored_output import notes_on_values
from video_cam.models.spec import USER_NETWORK
from video_cam.models.state_dict_matching import match_state
from video_cam.models.timm import PREFIX as TIMM_PREFIX
from video_cam.models.user_code import (
    build_network,
    digest_of_classes,
    digest_of_code,
    digest_of_reference,
    is_reference,
)
from video_cam.models.weights import load_state_dict, read_state_dicts
from video_cam.utils.files import sha256_of
from video_cam.utils.names import function_name
from video_cam.utils.notes import Note


def is_user_network(name: str) -> bool:
    """Whether ``name`` is written like a reference to a factory, or the path of a saved network."""
    if name.startswith(TIMM_PREFIX):
        return False
    return is_reference(name) or is_saved_network(name) or is_onnx(name)


def load_user_network(
    source: str | nn.Module | Callable[..., Any],
    weights: str | None,
    labels: Labels,
    device: torch.device | str | None,
    input_config: InputConfig,
    trust_checkpoint: bool,
    allow_partial: bool,
) -> Classifier:
    """A classifier from a factory, a saved network or a network at hand; see ``load_model``."""
    if isinstance(source, str) and is_onnx(source):
        return _load_onnx(source, weights, labels, device, input_config)
    module, name = _build(source, trust_checkpoint)
    if isinstance(module, ScoresOnly):
        _check_scores_only(module, weights, device)
    notes: tuple[Note, ...] = ()
    if weights is not None and weights != "none":
        if not Path(weights).is_file():
            raise UsageError(f"no such weights file: {weights!r}")
        match = match_state(read_state_dicts(Path(weights)), module.state_dict())
        loaded = load_state_dict(module, match.state, weights, allow_partial)
        notes = (*match.notes, *loaded)
        weights = Path(weights).name
    if isinstance(source, str):
        # Some networks' own train() and to() return nothing.
        module.eval()
        module.to(device or "cpu")
    elif device is not None:
        module.to(device)
    classifier = make_classifier(
        module, name, weights or "its own", USER_NETWORK, input_config, labels, check_layer=True
    )
    classifier = replace(classifier, notes=(*notes, *classifier.notes))
    classifier = _with_max_batch(classifier, module)
    if not isinstance(source, str):
        code = digest_of_code(module.function) if isinstance(module, FunctionNetwork) else ""
        return replace(classifier, code=code, known=False)
    if isinstance(module, ScriptedNetwork):  # its code is in the file
        return replace(classifier, code=sha256_of(Path(source)), known=False)
    if not is_reference(source):
        code = digest_of_classes(map(type, module.modules()))
        return replace(classifier, code=code, known=False)
    # After the network has run once: what it imports only then is among the loaded files.
    code = digest_of_reference(source)
    return replace(classifier, code=code, known=bool(code))


def _with_max_batch(classifier: Classifier, module: nn.Module) -> Classifier:
    """The classifier, given one clip at a time where its network needs that."""
    if classifier.max_batch is not None or not classifier.labels:
        return classifier
    if takes_one_clip(module):
        return replace(classifier, max_batch=1)
    size = (classifier.num_frames, *classifier.preprocess.crop)
    mixes = mixes_clips(classifier.module, size)
    if mixes is False:
        return classifier
    notes = (*classifier.notes, *((Note(NOTE),) if mixes else ()))
    return replace(classifier, max_batch=1, notes=notes)


def _load_onnx(
    source: str,
    weights: str | None,
    labels: Labels,
    device: torch.device | str | None,
    input_config: InputConfig,
) -> Classifier:
    if weights is not None:
        raise _holds_its_weights(source)
    network, options = load_onnx(Path(source), device, input_config)
    name = Path(source).name
    classifier = make_classifier(network, name, "its own", USER_NETWORK, options, labels)
    entry = classifier.reading.entry if classifier.reading else ()
    output = str(entry[0]) if entry else network.outputs[0]
    values = network.activations.get(output)
    shown = "sigmoid" if values == SIGMOID else "softmax"
    if values is not None and classifier.labels and options.score in (None, shown):
        network = network.before_activation(output)
        classifier = make_classifier(network, name, "its own", USER_NETWORK, options, labels)
        found = notes_on_values(OutputReading(values=values, from_input=True))
        classifier = replace(classifier, score=shown, notes=(*classifier.notes, *found))
    classifier = _with_max_batch(classifier, network)
    return replace(classifier, code=network.digest, known=False)


def _check_scores_only(
    module: ScoresOnly, weights: str | None, device: torch.device | str | None
) -> None:
    """Raise UsageError for options that a network of which only scores can be had does not take."""
    if weights is not None:
        raise _holds_its_weights(module.kind)
    on_cpu = torch.device(device or "cpu").type == "cpu"
    if isinstance(module, FunctionNetwork) and not on_cpu:
        raise UsageError(
            f"a function is given clips on the CPU and moves them itself: leave device {device} out"
        )


def _holds_its_weights(network: str) -> UsageError:
    return UsageError(f"{network} holds its weights itself: leave --weights out")


def _build(
    source: str | nn.Module | Callable[..., Any], trust_checkpoint: bool
) -> tuple[nn.Module, str]:
    """The network and its name."""
    if isinstance(source, nn.Module):
        module = unwrapped(source)
        return as_network(module), getattr(module, "original_name", type(module).__name__)
    if not isinstance(source, str):
        return as_network(source), function_name(source)
    if is_reference(source):
        return build_network(source), source
    return load_saved_network(Path(source), trust_checkpoint), Path(source).name
