"""Maps of any ``nn.Module`` on tensors: ``compute_cams``, and what is done with its maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.attributor import Attributor
from video_cam.attribution.targets import Target
from video_cam.config import AttributionConfig
from video_cam.errors import UsageError
from video_cam.layers.alignment import CellCentres, interpolate
from video_cam.layers.axes import Unpack, Unpacks, input_size, to_grid
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.hooks import unwrapped
from video_cam.layers.layout import folds
from video_cam.layers.selection import match_layers
from video_cam.layers.trace import trace
from video_cam.utils.names import as_tuple, check_names
from video_cam.utils.nested import map_tensors
from video_cam.utils.progress import Progress, silent


@dataclass(frozen=True)
class ActivationMap:
    """A class activation map at its layer's own resolution.

    Attributes:
        values: float32 (N, T', H', W'), signed.
        scores: float32 (N,), what the target puts out.
        class_ids: int64 (N,), or None where the target is a function.
        centres: positions of the cells in input frames and pixels.
        input_size: (T, H, W).
    """

    values: Tensor
    scores: Tensor
    class_ids: Tensor | None
    layer: str
    method: str
    centres: CellCentres
    input_size: tuple[int, int, int]


def compute_cams(
    model: nn.Module,
    x: Any,
    *,
    layers: Sequence[str],
    methods: Sequence[str] = AttributionConfig.methods,
    targets: Sequence[Target] = (None,),
    unpack: Unpacks | None = None,
    progress: Progress = silent,
    **options: Any,
) -> list[ActivationMap]:
    """Maps for every target, layer and method from one forward pass.

    The network is left exactly as it was. One wrapped for several devices or by ``torch.compile``
    is taken out of its wrapper and runs uncompiled. With the default alignment a network of clips
    is run a few times more, once per network, layer and input size, to measure where its cells
    look; ``align="receptive-field"`` runs nothing.

    Args:
        model: any network.
        x: what its forward takes: a tensor, or a tuple, list or dict of them (a dict of the
            forward's parameters is given by name).
        layers: module names, patterns such as ``layer?``, or positions from the back.
        methods: of ``config.METHOD_NAMES``.
        targets: one backward pass each. None is each sample's best class; else a class id, one id
            per sample, or a function from the network's outputs to (N,) scores. Outputs may be
            scores of clips (N, classes) or of frames (N, T, classes), alone or in a tuple, dict or
            dataclass with logits.
        unpack: brings a layer's output to (N, K, T', H', W'), or a dict of one for each layer; by
            default the layout is found from the shapes of one run on one sample.
        progress: is told how many altered inputs have been scored; see ``utils.progress``.
        options: the other fields of ``config.AttributionConfig``.

    Returns:
        A flat list, nested target, then layer, then method.

    Raises:
        UsageError: for wrong names, layers or targets.
    """
    known = {one.name for one in fields(AttributionConfig)} - {"methods"}
    check_names("option", list(options), sorted(known))
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"the network is a {type(model).__name__}, expected an nn.Module: "
            "of a video_cam classifier give its .module"
        )
    if not isinstance(targets, list | tuple):
        raise UsageError(f"targets {targets!r} must be a list with one entry for each target")
    model = unwrapped(model)
    names = as_tuple(layers)
    if unpack is None:
        names, unpack = find_layers(model, x, names)
    config = AttributionConfig(as_tuple(methods), **options)
    size = input_size(x)
    receptive_fields = find_receptive_fields(model, x, names, unpack, config.align)
    attributor = Attributor(
        model, names, config, unpack=unpack, fields=receptive_fields, progress=progress
    )
    result = attributor(x, targets)
    return [
        ActivationMap(
            values := result.maps[number, layer, method],
            result.scores[number],
            result.class_ids[number],
            layer,
            method,
            attributor.centres(layer, values.shape[1:], size),
            size,
        )
        for number in range(len(result.targets))
        for layer in names
        for method in config.methods
    ]


def find_layers(
    model: nn.Module, x: Any, layers: Sequence[str | int]
) -> tuple[tuple[str, ...], dict[str, Unpack]]:
    """Module names for names, patterns and positions, and how each one's output is unpacked."""
    sample = map_tensors(lambda tensor: tensor[:1], x)
    try:
        seen = trace(model, sample).seen
    except UsageError:  # what is wrong with the input, the run that follows says better
        return tuple(map(str, layers)), dict.fromkeys(map(str, layers), to_grid)
    found = folds(seen.values(), input_size(sample))
    known = [name for name, _ in model.named_modules()]
    names = match_layers(layers, found, known)
    return names, {name: found.get(name, to_grid) for name in names}


def upsample(cam: ActivationMap, size: Sequence[int]) -> Tensor:
    """The map on a (T, H, W) grid over the network's input: float32 (N, T, H, W), still signed."""
    return interpolate(cam.values, cam.centres, cam.input_size, size)


def normalize(volume: Tensor) -> Tensor:
    """ReLU, then divide by each sample's maximum: [0, 1]; a map without positive cells stays zero.

    ``volume`` is (N, ...); the maximum is over everything but the first axis.
    """
    positive = volume.clamp(min=0)
    peak = positive.flatten(1).amax(1).reshape(-1, *[1] * (volume.ndim - 1))
    return torch.where(peak > 0, positive / peak, torch.zeros_like(positive))
