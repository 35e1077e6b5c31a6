"""The classifiers: by name, by path, or a network at hand, with all that a clip needs for them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.config import InputConfig
from video_cam.errors import UsageError
from video_cam.layers.hooks import unwrapped
from video_cam.models import bundled, huggingface
from video_cam.models import saved_networks as own
from video_cam.models import timm as timm_image
from video_cam.models.bundled import BUNDLED
from video_cam.models.classifier import Classifier, Labels, make_classifier
from video_cam.models.labels import count_labels
from video_cam.models.saved_networks import OWN
from video_cam.models.spec import Row
from video_cam.models.user_code import digest_of_code, find_function, is_spec
from video_cam.models.weights import WeightsUnavailable, download, fit_state_dict, read_state_dict
from video_cam.utils.names import check_names

UNTRAINED = "untrained network: the maps mean nothing"
DEFAULT = "r3d_18"
STAND_IN = (
    f"by the bundled network {BUNDLED}, which knows drawn motions only, as weights for {DEFAULT} "
    "could not be had"
)
# Other tools' short names.
ALIASES = {
    "resnet": "resnet50",
    "vgg": "vgg16",
    "densenet": "densenet121",
    "inception": "inception_v3",
}


@cache
def known_models() -> dict[str, Row]:
    """Every network that has a row, by name."""
    # torchvision takes more than a second to import, which those of others need not wait for.
    from video_cam.models import (
        torchvision_images as torchvision_image,
    )
    from video_cam.models import (
        torchvision_videos as torchvision_video,
    )

    return bundled.ROWS | torchvision_video.ROWS | torchvision_image.ROWS


def load_model(
    name: str | Path | nn.Module | None = None,
    weights: str | Path | None = None,
    *,
    labels: Labels = None,
    device: torch.device | str | None = None,
    trust_checkpoint: bool = False,
    say: Callable[[str], None] = lambda message: None,
    **given: Any,
) -> Classifier:
    """The classifier called ``name`` with ``weights``, in evaluation mode on ``device``.

    name: of --list-models; a folder or hub name of Hugging Face's transformers; timm:NAME;
    package.module:factory or file.py:factory; a saved network (.pt2, or .pt with
    trust_checkpoint, which lets it run its code); an nn.Module. weights: the name of a pretrained
    entry ("DEFAULT" is the first), a file (.pth, .pt or .safetensors), "none" for random ones, or
    None for the pretrained ones. labels: a file, or the names. given: the fields of InputConfig.

    Without a name: r3d_18 with Kinetics-400 weights where they can be had, else the bundled
    network; ``say`` gets one line that tells which and why. Raises UsageError for what does not
    exist or fit.
    """
    check_names("option", list(given), InputConfig.__dataclass_fields__)
    name = str(name) if isinstance(name, Path) else name
    weights = str(weights) if isinstance(weights, Path) else weights
    said = InputConfig(**given)
    if name is None:
        return _default_model(weights, labels, device, say, given)
    if isinstance(name, nn.Module) or _is_own(name):
        return _own_model(name, weights, labels, device, trust_checkpoint, said)
    row = _row(name)
    state, weights_name = _find_weights(name, row, weights)
    if state is None:
        module = row.build(len(row.labels) if labels is None else count_labels(labels))
    else:
        state = {k: v for k, v in state.items() if not k.startswith(row.unused)}
        module = _build_for(row, state)
        fit_state_dict(module, state, weights_name)
    module = module.eval().to(device or "cpu")
    if next(module.parameters()).device.type == "cpu":
        _channels_last(module)
    return make_classifier(module, name, weights_name, row, said, labels)


def _channels_last(module: nn.Module) -> None:
    """Store convolutions' weights as a CPU likes them; scores differ in the seventh digit.

    `python -m benchmarks.speed.pipeline precision` tells what it saves.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in module.parameters():
        if parameter.ndim in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.ndim])


def _is_own(name: str) -> bool:
    if name.startswith(timm_image.PREFIX):
        return False
    return is_spec(name) or own.is_saved(name)


def _own_model(
    name: str | nn.Module,
    weights: str | None,
    labels: Labels,
    device: torch.device | str | None,
    trust: bool,
    said: InputConfig,
) -> Classifier:
    code = ""
    if isinstance(name, nn.Module):
        module = unwrapped(name)
        shown = type(module).__name__
    elif is_spec(name):
        module, shown, code = own.build(name), name, digest_of_code(find_function(name))
    else:
        module, shown = own.load_saved(Path(name), trust), Path(name).name
    if weights not in (None, "none"):
        assert weights is not None
        if not Path(weights).is_file():
            raise UsageError(f"no such weights file: {weights!r}")
        fit_state_dict(module, read_state_dict(Path(weights)), weights)
        weights = Path(weights).name
    if isinstance(name, str):
        module.eval().to(device or "cpu")
    elif device is not None:
        module.to(device)
    classifier = make_classifier(module, shown, weights or "its own", OWN, said, labels, True)
    max_batch = 1 if own.takes_one_clip(module) else None
    return replace(classifier, code=code, known=bool(code), max_batch=max_batch)


def _row(name: str) -> Row:
    if name in bundled.ROWS:
        return bundled.ROWS[name]
    if name.startswith(timm_image.PREFIX):
        return timm_image.row(name)
    name = ALIASES.get(name, name)
    if name in known_models():
        return known_models()[name]
    if huggingface.is_name(name):
        return huggingface.row(name)
    near = difflib.get_close_matches(name, known_models(), n=3, cutoff=0.5)
    raise UsageError(
        f"unknown model {name!r}: "
        + (f"did you mean {' or '.join(near)}?" if near else "see --list-models")
        + " Or give file.py:factory, a saved network, or a folder of transformers"
    )


def _default_model(
    weights: str | None,
    labels: Labels,
    device: torch.device | str | None,
    say: Callable[[str], None],
    given: Mapping[str, Any],
) -> Classifier:
    try:
        return load_model(DEFAULT, weights, labels=labels, device=device, **given)
    except WeightsUnavailable as reason:
        say(f"{reason}; using the bundled network {BUNDLED!r}, which knows drawn motions only")
    stand_in = load_model(BUNDLED, labels=labels, device=device, **given)
    return replace(stand_in, note=STAND_IN)


def _find_weights(name: str, row: Row, weights: str | None) -> tuple[dict[str, Tensor] | None, str]:
    """The state dict that ``weights`` names, and the name to show for it."""
    if weights == "none":
        return None, "none"
    if weights in (None, "DEFAULT") and not row.pretrained:
        raise UsageError(
            f"{name} has no pretrained weights: give --weights a .pth or .safetensors file, or none"
        )
    if weights is None or weights == "DEFAULT":
        weights = next(iter(row.pretrained))
    if weights in row.pretrained:
        return _pretrained(name, row.pretrained[weights]), weights
    if Path(weights).is_file():
        return read_state_dict(Path(weights)), Path(weights).name
    raise UsageError(
        f"unknown weights {weights!r} for {name}: give "
        f"{''.join(f'{entry}, ' for entry in row.pretrained)}a .pth or .safetensors file, or none"
    )


def _pretrained(name: str, source: Any) -> dict[str, Tensor]:
    if isinstance(source, Path):
        return read_state_dict(source)
    return source() if callable(source) else download(name, source)


def _build_for(row: Row, state: dict[str, Tensor]) -> nn.Module:
    """The network with as many classes as a checkpoint has."""
    module = row.build(len(row.labels))
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    if all(state[name].shape == shape for name, shape in shapes.items() if name in state):
        return module
    return row.build(_num_classes(row, state))


def _num_classes(row: Row, state: dict[str, Tensor]) -> int:
    """The number of classes of a checkpoint: the length of its last bias of the right name."""
    # The head's parameters are those whose shape follows the number of classes.
    head = next(
        name
        for (name, ours), other in zip(
            _shapes(row, 2).items(), _shapes(row, 3).values(), strict=True
        )
        if ours != other
    )
    return state[head].shape[0] if head in state else len(row.labels)


def _shapes(row: Row, classes: int) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in row.build(classes).state_dict().items()}
