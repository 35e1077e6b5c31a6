"""A known network with the weights of a checkpoint, and known networks that a checkpoint fits."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import nn

from video_cam.errors import UsageError
from video_cam.models.spec import ModelSpec
from video_cam.models.state_dict_matching import StateDict, match_state
from video_cam.models.uninitialised import WithoutRandomValues
from video_cam.models.weights import load_state_dict
from video_cam.utils.notes import Note

MIN_FITTING = 0.9  # of a network's tensors; heads for other classes do not fit
# Numbers in a state dict, of the network's parameters: heads for few classes are smaller, and a
# checkpoint may hold a second network beside it.
SIZES = (0.6, 2.5)


def build_trained(
    spec: ModelSpec, state_dicts: Mapping[str, StateDict], name: str, allow_partial: bool = False
) -> tuple[nn.Module, tuple[Note, ...]]:
    """The network with a checkpoint's weights, for as many classes as they are for.

    Args:
        spec: of the network.
        state_dicts: place in the checkpoint -> state dict.
        name: of the weights, for messages.
        allow_partial: load what fits; the rest is random.

    Returns:
        The network, and what its results must say of the weights; empty where that is nothing.

    Raises:
        UsageError: where they do not fit.
    """
    # Loading fails unless it fills all of the network, or a part is allowed to stay random.
    fills = nullcontext() if allow_partial else WithoutRandomValues()
    with fills:
        module = spec.build(len(spec.labels))
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    match = match_state(state_dicts, shapes)
    state = {k: v for k, v in match.state.items() if not k.startswith(spec.training_prefixes)}
    if any(state[key].shape != shape for key, shape in shapes.items() if key in state):
        with fills:
            module = spec.build(_count_classes(spec, state))
    loading = load_state_dict(module, state, name, allow_partial)
    return module, (*match.notes, *loading)


def networks_that_fit(
    state_dicts: Mapping[str, StateDict], specs: Mapping[str, ModelSpec]
) -> list[str]:
    """Names of the networks that have tensors of a checkpoint's names and shapes.

    Args:
        state_dicts: place in the checkpoint -> state dict.
        specs: name -> network. Those of about as many parameters are built.
    """
    sizes = [sum(tensor.numel() for tensor in state.values()) for state in state_dicts.values()]
    names = []
    for name, spec in specs.items():
        if not any(_is_about(size, spec) for size in sizes):
            continue
        shapes = _shapes(spec, max(len(spec.labels), 1))
        state = match_state(state_dicts, shapes).state
        fitting = sum(key in state and state[key].shape == shape for key, shape in shapes.items())
        if fitting >= MIN_FITTING * len(shapes):
            names.append(name)
    return names


def _is_about(size: int, spec: ModelSpec) -> bool:
    """Whether a state dict of ``size`` numbers can be of a network, as far as its size is known."""
    # torchvision's entries say it; importing their class for a check takes more than a second.
    entry = next(iter(spec.pretrained.values()), None)
    own_size = getattr(entry, "meta", {}).get("num_params")
    low, high = SIZES
    return own_size is None or low <= size / own_size <= high


def _count_classes(spec: ModelSpec, state: StateDict) -> int:
    """The number of classes of a checkpoint: the first axis of its classification head."""
    # The head's parameters are those whose shape changes with the number of classes.
    of_two, of_three = _shapes(spec, 2), _shapes(spec, 3)
    head = next((name for name in of_two if of_two[name] != of_three[name]), None)
    if head is None or head not in state:  # without a head: a network of clips and texts
        return len(spec.labels)
    if 0 in state[head].shape or not state[head].ndim:
        raise UsageError(
            f"the weights have a {head} of shape {tuple(state[head].shape)}: expected one row for "
            "each class"
        )
    return state[head].shape[0]


def _shapes(spec: ModelSpec, classes: int) -> dict[str, torch.Size]:
    try:
        with torch.device("meta"):
            module = spec.build(classes)
    except NotImplementedError:  # RegNets compute their widths with tensors
        module = spec.build(classes)
    return {name: tensor.shape for name, tensor in module.state_dict().items()}
