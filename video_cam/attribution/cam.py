"""Maps of any ``nn.Module`` on tensors."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from math import prod
from typing import Any

import torch
from torch import nn

from video_cam.attribution.activation_map import ActivationMap
from video_cam.attribution.attribution_result import AttributionResult
from video_cam.attribution.attributor import Attributor
from video_cam.attribution.targets import Target
from video_cam.attribution_config import AttributionConfig
from video_cam.choice_names import INPUT_METHOD_NAMES, take_blocks
from video_cam.errors import UsageError, first_line
from video_cam.layers.alignment import guess_note, needs_measuring
from video_cam.layers.axes import (
    Unpack,
    Unpacks,
    beside_network,
    for_layer,
    input_size,
    to_grid,
    unpacked,
)
from video_cam.layers.batch_order import refuse_time_first, time_first
from video_cam.layers.cell_positions import find_receptive_fields
from video_cam.layers.clip_axes import channels_first
from video_cam.layers.finer_layers import finer_layers, no_finer_layer
from video_cam.layers.hooks import unwrapped
from video_cam.layers.layout import Fold, Layout, folds, layouts
from video_cam.layers.measured_layout import refusal, settled_folds
from video_cam.layers.output_search import with_class_scores
from video_cam.layers.receptive_field import ReceptiveFields
from video_cam.layers.scores_only import as_network, refuse_methods
from video_cam.layers.selection import match_layers, own_name
from video_cam.layers.trace import ModuleOutput, trace
from video_cam.utils.memory import is_out_of_memory
from video_cam.utils.names import as_tuple, check_names
from video_cam.utils.nested import map_tensors
from video_cam.utils.progress import Progress, silent


def compute_cams(
    model: nn.Module | Callable[..., Any],
    x: Any,
    *,
    layers: Sequence[str] = (),
    methods: Sequence[str] = AttributionConfig.methods,
    targets: Sequence[Target] = (None,),
    unpack: Unpacks | None = None,
    output_layout: str | None = None,
    progress: Progress = silent,
    **options: Any,
) -> list[ActivationMap]:
    """Maps for every target, layer, method and detail from one forward pass.

    The network is left exactly as it was. A network wrapped for several devices or by
    ``torch.compile`` runs without its wrapper and uncompiled. With the default alignment, a network
    that takes clips runs a few more times to measure where its cells look, once per network, layers
    and input size; ``align="receptive-field"`` needs no such runs. Layers other than convolutions
    and blocks of them, such as tokens, take seven or more runs once, which tell how their output
    folds. Where the network does not run on a single clip the measurement of the alignment is left
    out, with a warning.

    Args:
        model: any network; or a function from what its ``x`` is to scores, for methods that need no
            more (``choice_names.SCORE_METHOD_NAMES``), as TorchScript networks are.
        x: what its forward takes: a tensor, or a tuple, list or dict of them. A dict whose keys
            are the forward's parameters is passed by keyword. A tuple holds the arguments in order
            where the forward needs more than one, else it is the only argument, as a list is.
            Clips are (N, C, T, H, W) or (N, T, C, H, W), whichever the network takes.
        layers: module names, patterns such as ``layer?``, or positions from the back. A wrapper's
            ``module.`` in front of a name is left out. Methods of the whole input
            (``choice_names.INPUT_METHOD_NAMES``) take none; but for attention methods alone,
            modules with the attention to follow, such as ``blocks.11``; none for all of it.
        methods: of ``choice_names.METHOD_NAMES``.
        targets: one backward pass each. None is each sample's best class; else a class id, one id
            per sample, or a function from the network's own outputs to (N,) scores. For classes
            the outputs may be scores of clips (N, classes), of frames (N, T, classes) or (N,
            classes, T), or of places (N, classes, T, H, W), alone or in a tuple, dict or object.
            At the end of a softmax or sigmoid the score is what it was given; where the pass does
            not show that, log p or log(p / (1 - p)). Of places it is the mean where the class is
            predicted.
        unpack: a function that brings a layer's output to (N, K, T', H', W'), or a dict with one
            for each layer; by default the layout is found from the output shapes of one sample.
        output_layout: as ``--output-layout``, such as "NKT", where the axes or the entry with the
            class scores cannot be found.
        progress: reports the number of channels scored by ablationcam and scorecam; see
            ``utils.progress``.
        options: the other fields of ``AttributionConfig``.

    Returns:
        A flat list, nested target, then layer, then method, then detail. Maps of the whole input
        come behind those of the layers, with "input" in place of a layer's name.

    Raises:
        UsageError: for wrong names, layers or targets, for outputs whose class scores cannot be
            found, and for an input on another device than the network.
    """
    known = {one.name for one in fields(AttributionConfig)} - {"methods"}
    check_names("option", list(options), sorted(known))
    if not isinstance(targets, list | tuple):
        raise UsageError(f"targets {targets!r} must be a list with one entry for each target")
    config = AttributionConfig(as_tuple(methods), **options)
    network = as_network(unwrapped(model) if isinstance(model, nn.Module) else model)
    refuse_methods(network, config.methods)
    layers = _checked_layers(as_tuple(layers), config)
    model, x = channels_first(network, beside_network(x, network, model))
    attributor = _bind(model, x, layers, config, unpack, progress)
    if not all(map(callable, targets)):
        attributor = attributor.of(with_class_scores(model, x, output_layout))
    result = attributor(x, targets)
    for note in result.notes:
        warnings.warn(note, stacklevel=2)
    cams = _activation_maps(attributor, result, input_size(x))
    _warn_of_guesses(attributor, result, input_size(x)[0])
    return cams


def _warn_of_guesses(attributor: Attributor, result: AttributionResult, frames: int) -> None:
    """Warn of layers whose cells are spread evenly, because it is not known where they look."""
    # Detail makes maps finer than the layer's own cells.
    cells = {layer: values.shape[1] for (_, layer, _), values in result.layer_maps.items()}
    for layer in attributor.guessed_layers(cells, frames):
        warnings.warn(guess_note(layer, attributor.config.align), stacklevel=3)


def _checked_layers(layers: tuple[str, ...], config: AttributionConfig) -> tuple[str, ...]:
    """The layers, where there are methods that take some."""
    if config.layer_methods and not layers:
        raise UsageError(
            f"no layer is named for {config.layer_methods[0]}: give layers=, or a method without "
            f"one ({', '.join(INPUT_METHOD_NAMES)})"
        )
    if layers and not config.layer_methods and not take_blocks(config.methods):
        raise UsageError(
            f"layers {', '.join(map(str, layers))} are named, and {' and '.join(config.methods)} "
            "explains the input without one: leave layers out"
        )
    return layers


def _bind(
    model: nn.Module,
    x: Any,
    layers: tuple[str, ...],
    config: AttributionConfig,
    unpack: Unpacks | None,
    progress: Progress,
) -> Attributor:
    """An Attributor for inputs like ``x``."""
    known = dict(model.named_modules())
    if not config.layer_methods:
        blocks = [own_name(layer, known) for layer in layers]
        return Attributor(model, (), config, unpack={}, fields={}, blocks=blocks, progress=progress)
    if unpack is None:
        layers, unpack = find_layers(model, x, layers)
    elif isinstance(unpack, Mapping):
        unpack = {own_name(layer, known): function for layer, function in unpack.items()}
    layers = tuple(own_name(layer, known) for layer in layers)
    finer: dict[str, tuple[str, ...]] = {}
    of_fields = layers
    if config.makes_finer:
        finer, more = find_finer_layers(model, x, layers)
        if "layers" in config.detail:
            _warn_of_no_finer(finer)
        unpack = {**more} | {layer: for_layer(unpack, layer) for layer in layers}
        of_fields = tuple(dict.fromkeys((*layers, *more)))
    fields_ = _receptive_fields(model, x, of_fields, unpack, config.align)
    return Attributor(
        model, layers, config, unpack=unpack, fields=fields_, finer=finer, progress=progress
    )


def _activation_maps(
    attributor: Attributor, result: AttributionResult, size: tuple[int, int, int]
) -> list[ActivationMap]:
    """The maps in the order target, layer, method, detail; ``size`` is (T, H, W) of the input."""
    return [
        ActivationMap(
            result.maps[index, layer, method, detail],
            result.scores[index],
            result.class_ids[index],
            layer,
            method,
            result.centres[layer, method, detail],
            size,
            detail,
            result.sampling.get((index, layer, method, detail)),
        )
        for index in range(len(result.targets))
        for layer, method, detail in attributor.map_keys
    ]


def find_layers(
    model: nn.Module, x: Any, layers: Sequence[str | int]
) -> tuple[tuple[str, ...], dict[str, Unpack]]:
    """Module names for names, patterns and positions, and how each layer's output is unpacked.

    Args:
        x: as in ``compute_cams``.
        layers: as in ``compute_cams``.

    Raises:
        UsageError: for what matches no module, and for layers whose output is no grid.
    """
    sample = map_tensors(lambda tensor: tensor[:1], x)
    try:
        modules = trace(model, sample).modules
    except UsageError:  # the forward pass on the input itself gives a better message
        return tuple(map(str, layers)), dict.fromkeys(map(str, layers), to_grid)
    size = input_size(sample)
    known = [name for name, _ in model.named_modules()]
    names = match_layers(layers, folds(modules.values(), size), known)
    possible = _possible_layouts(names, modules, size)
    wanted = [name for name in names if name in possible]
    settled = settled_folds(model, possible, wanted, size, sample)
    for name in wanted:
        if name not in settled:
            raise refusal(name, modules[name].shape, possible[name])
    of_frames = [name for name in settled if settled[name].frames]
    refuse_time_first(model, x, sample, of_frames)
    return names, {name: settled.get(name, to_grid) for name in names}


def find_finer_layers(
    model: nn.Module, x: Any, layers: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, Unpack]]:
    """The finer layers that each layer is combined with for detail, and how these are unpacked.

    Args:
        x: as in ``compute_cams``.
        layers: module names.
    """
    sample = map_tensors(lambda tensor: tensor[:1], x)
    modules = trace(model, sample).modules
    size = input_size(sample)
    possible = layouts(modules.values(), size)
    likely = {name: layout.folds[0] for name, layout in possible.items()}
    wanted = {layer: finer_layers(layer, modules, likely) for layer in layers}
    names = list(dict.fromkeys(name for several in wanted.values() for name in several))
    settled = settled_folds(model, possible, names, size, sample)
    of_frames = [name for name in settled if settled[name].frames]
    dropped = time_first(model, x, sample, of_frames)
    folds_ = {name: settled[name] for name in names if name in settled and name not in dropped}
    finer = {
        layer: tuple(name for name in several if name in folds_)
        for layer, several in wanted.items()
    }
    return finer, {**folds_}


def _warn_of_no_finer(finer: Mapping[str, Sequence[str]]) -> None:
    for layer, several in finer.items():
        if not several:
            warnings.warn(no_finer_layer(layer), stacklevel=4)


def _possible_layouts(
    names: Sequence[str], modules: Mapping[str, ModuleOutput], size: Sequence[int]
) -> dict[str, Layout]:
    """What the shapes say of all layers; of these also where their kind of output is unusual.

    Raises:
        UsageError: for an output that can be no grid.
    """
    possible = layouts(modules.values(), size)
    for name in names:
        if name in possible or name not in modules or modules[name].calls > 1:
            continue
        if len(modules[name].shape) < 3:  # the pass on the input itself tells its shape
            continue
        unpacked(to_grid, torch.empty(modules[name].shape, device="meta"), name)
        if prod(modules[name].shape[2:]) > 1:
            possible[name] = Layout((_as_it_is(modules[name]),), certain=False)
    return possible


def _as_it_is(one: ModuleOutput) -> Fold:
    """The fold that ``axes.to_grid`` makes of an output with four or five axes."""
    t, h, w = (1, *one.shape[2:])[-3:]
    return Fold("first", (t, h, w))


def _receptive_fields(
    model: nn.Module, x: Any, layers: Sequence[str], unpack: Unpacks, align: str
) -> dict[str, ReceptiveFields]:
    """The layers' fields; those by arithmetic where the network does not run on a single clip."""
    try:
        return find_receptive_fields(model, x, layers, unpack, align)
    except Exception as error:
        # A forward or an ``unpack`` made for one batch size. What fails on any input fails again
        # in the pass on the caller's own, which is not caught.
        if is_out_of_memory(error) or not needs_measuring(align):
            raise
        warnings.warn(
            f"the alignment is not measured, because the network does not run on a single clip "
            f"({type(error).__name__}: {first_line(error)}): cell centres are those of "
            'align="receptive-field"',
            stacklevel=3,
        )
    return find_receptive_fields(model, x, layers, unpack, "receptive-field")
