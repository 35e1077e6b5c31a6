"""One input -> activation maps: the library's core, for any ``nn.Module`` and any tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from video_cam.attribution.augmentation import altered, restored, versions
from video_cam.attribution.method_inputs import BY_RUNNING, FROM_GRAPH, Case
from video_cam.attribution.methods import METHODS, POOLING, at_least_float32, needs_of, signed_map
from video_cam.attribution.replay import Recording, recording
from video_cam.attribution.targets import Target, target_scores
from video_cam.config import PRECISIONS
from video_cam.errors import UsageError
from video_cam.layers.alignment import (
    PLACEMENTS,
    CellCentres,
    cell_centres,
    gather_onto,
    interpolate,
)
from video_cam.layers.axes import Unpack, Unpacks, detached, input_size, run, to_grid, unpacked
from video_cam.layers.cell_positions import find_chains
from video_cam.layers.hooks import Captured, capture, unwrapped
from video_cam.layers.layout import folds
from video_cam.layers.receptive_field import Chains
from video_cam.layers.selection import match_layers
from video_cam.layers.trace import trace
from video_cam.utils.names import as_tuple, check_names
from video_cam.utils.nested import map_tensors, tensors_in
from video_cam.utils.progress import Progress, silent


@dataclass(frozen=True)
class ActivationMap:
    """A class activation map at its layer's own resolution.

    values: float32 (N, T', H', W'), signed. scores: float32 (N,), what the target put out.
    class_ids: int64 (N,), or None where the target is a function. input_size: (T, H, W).
    """

    values: Tensor
    scores: Tensor
    class_ids: Tensor | None
    layer: str
    method: str
    centres: CellCentres
    input_size: tuple[int, int, int]


@dataclass(frozen=True)
class Request:
    """What is asked of one input, whatever its targets. The fields are those of compute_cams."""

    layers: tuple[str, ...]
    methods: tuple[str, ...] = ("gradcam",)
    unpack: Unpacks = to_grid
    pooling: str = "clip"
    align: str = "receptive-field"
    aug_smooth: bool = False
    aug_shift: int = 0
    eigen_smooth: bool = False
    precision: str = "fp32"
    batch_size: int = 16
    max_channels: int | None = None
    progress: Progress = field(default=silent, compare=False)

    def __post_init__(self) -> None:
        check_names("method", self.methods, METHODS)
        check_names("pooling", [self.pooling], POOLING)
        check_names("align", [self.align], PLACEMENTS)
        check_names("precision", [self.precision], PRECISIONS)
        if self.aug_shift < 0:
            raise UsageError(f"aug_shift {self.aug_shift} must be 0 or more frames")


def compute_cams(
    model: nn.Module,
    x: Any,
    *,
    layers: Sequence[str],
    methods: Sequence[str] = ("gradcam",),
    targets: Sequence[Target] = (None,),
    **options: Any,
) -> list[ActivationMap]:
    """Maps for every target, layer and method (nested in that order) from one forward pass.

    ``x`` is what the network's forward takes: a tensor, or a tuple, list or dict of them (a dict of
    the forward's parameters is given by name). A target is None (each sample's best class), a
    class id, one id per sample, or a function from the network's outputs to (N,) scores; there is
    one backward pass per target. Outputs may be scores of clips, (N, classes), or of frames,
    (N, T, classes), alone or in a tuple, a dict or a dataclass with logits. ExplainConfig:

    unpack: brings a layer's output to (N, K, T', H', W'), or a dict of one for each layer; by
    default the layout is found from the shapes of one run on one sample. pooling, align: keys of
    POOLING and PLACEMENTS. aug_smooth: the mean over six versions of the input, flipped left to
    right or not, times 0.9, 1 and 1.1. aug_shift: the mean over the clip as it is and moved so
    many frames earlier and later, 0 for none.
    eigen_smooth: the first principal component of the weighted activations, not their sum.
    batch_size: altered inputs or activations in one pass, for ablationcam and scorecam.
    max_channels: how many channels scorecam runs, None for all. progress: see progress.py.

    The network is left exactly as found; one wrapped for several devices or by torch.compile is
    taken out of its wrapper, and runs uncompiled. Raises UsageError for wrong names.
    """
    check_names("option", list(options), Request.__dataclass_fields__)
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"the network is a {type(model).__name__}, expected an nn.Module: "
            "of a video_cam classifier give its .module"
        )
    model = unwrapped(model)
    layers = as_tuple(layers)
    if "unpack" not in options:
        layers, options["unpack"] = find_layers(model, x, layers)
    request = Request(layers, as_tuple(methods), **options)
    if not isinstance(targets, list | tuple):
        raise UsageError(f"targets {targets!r} must be a list with one entry for each target")
    size = input_size(x)
    chains = find_chains(model, x, request.layers, request.unpack, request.align)
    _, found = evaluate(model, x, request, lambda outputs: targets, chains)
    return [
        ActivationMap(
            maps.values[layer, method],
            maps.scores,
            maps.class_ids,
            layer,
            method,
            place(maps.values[layer, method], size, chains[layer], request.align),
            size,
        )
        for maps in found
        for layer in request.layers
        for method in request.methods
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


def place(values: Tensor, size: Sequence[int], chains: Chains, align: str) -> CellCentres:
    """Where the cells of maps (N, T', H', W') sit in an input of ``size``."""
    return cell_centres(values.shape[1:], size, chains, align)


@dataclass(frozen=True)
class TargetMaps:
    """One target's maps: (layer, method) -> signed float32 (N, T', H', W').

    target: the same target, for other inputs: where it was the best class, that class.
    """

    values: dict[tuple[str, str], Tensor]
    scores: Tensor
    class_ids: Tensor | None
    target: Target


Choose = Callable[[Any], Sequence[Target]]
_INPLACE = "modified by an inplace operation"  # autograd's words


def evaluate(
    model: nn.Module, x: Any, request: Request, choose: Choose, chains: dict[str, Chains]
) -> tuple[Any, list[TargetMaps]]:
    """The network's outputs and one TargetMaps per target; ``choose`` names the targets.

    ``chains``: what find_chains found for the layers.
    """
    own, *others = versions(request.aug_smooth, request.aug_shift)
    outputs, found = _evaluate_once(model, altered(x, own), request, choose, chains)
    targets = [maps.target for maps in found]
    for version in others:
        _, more = _evaluate_once(model, altered(x, version), request, lambda _: targets, chains)
        for maps, again in zip(found, more, strict=True):
            for (layer, method), values in again.values.items():
                centres = place(values, input_size(x), chains[layer], request.align)
                maps.values[layer, method] = maps.values[layer, method] + restored(
                    values, version, centres
                )
    for maps in found:
        maps.values.update({slot: v / (1 + len(others)) for slot, v in maps.values.items()})
    return outputs, found


def _evaluate_once(
    model: nn.Module, x: Any, request: Request, choose: Choose, chains: dict[str, Chains]
) -> tuple[Any, list[TargetMaps]]:
    """One forward pass, one backward pass per target, and what re-scoring takes."""
    with capture(model, request.layers) as captured:
        outputs, recorded = _forward(model, x, captured, request)
        cases = [
            _case(model, x, captured, recorded, outputs, target, request)
            for target in choose(outputs)
        ]
        try:
            graph = [_from_graph(case, request) for case in cases]
        except RuntimeError as error:
            if _INPLACE not in str(error):
                raise
            # Some networks change, in place, a tensor that autograd had saved, and autograd
            # refuses them. For those alone the pass is made again, with copies in their place.
            with torch.autograd.graph.allow_mutation_on_saved_tensors():
                outputs, recorded = _forward(model, x, captured, request)
                cases = [
                    _case(model, x, captured, recorded, outputs, case.fixed_target, request)
                    for case in cases
                ]
                graph = [_from_graph(case, request) for case in cases]
    found = [
        _target_maps(case, evidence | _by_running(case, request), request, chains)
        for case, evidence in zip(cases, graph, strict=True)
    ]
    return detached(outputs), found


def _forward(
    model: nn.Module, x: Any, captured: Captured, request: Request
) -> tuple[Any, Recording]:
    captured.clear()
    # What ablation runs again from is recorded in the pass that is made anyway.
    recorded = captured.layers if "ablation" in needs_of(request.methods) else ()
    x = detached(x)
    with ExitStack() as stack:
        stack.enter_context(_precision(model, x, request.precision))
        if "hessian_product" in needs_of(request.methods):
            # The fused kernels of attention have no second derivative.
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        kept = stack.enter_context(recording(model, x, recorded))
        outputs = run(model, x)
    missing = [name for name in captured.layers if name not in captured.activations]
    if missing:
        raise UsageError(f"layer {missing[0]!r} did not run in the forward pass: choose another")
    return outputs, kept


def _case(
    model: nn.Module,
    x: Any,
    captured: Captured,
    recorded: Recording,
    outputs: Any,
    target: Target,
    request: Request,
) -> Case:
    scores, class_ids = target_scores(outputs, target)
    return Case(
        model,
        x,
        captured,
        recorded,
        outputs,
        target,
        scores,
        class_ids,
        request.unpack,
        request.batch_size,
        request.max_channels,
        request.progress,
    )


Found = dict[str, dict[str, Tensor]]  # evidence -> layer -> tensor


def _from_graph(case: Case, request: Request) -> Found:
    needs = needs_of(request.methods)
    return {name: find(case) for name, find in FROM_GRAPH.items() if name in needs}


def _by_running(case: Case, request: Request) -> Found:
    needs = needs_of(request.methods)

    def find_all() -> Found:
        return {name: find(case) for name, find in BY_RUNNING.items() if name in needs}

    with _precision(case.model, case.x, request.precision):
        try:
            return find_all()
        except RuntimeError as error:
            if _INPLACE not in str(error):
                raise
        with torch.autograd.graph.allow_mutation_on_saved_tensors():
            return find_all()


def _precision(model: nn.Module, x: Any, precision: str) -> AbstractContextManager[Any]:
    device = next(chain(model.parameters(), model.buffers(), tensors_in(x))).device.type
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")


def _target_maps(
    case: Case, evidence: Found, request: Request, chains: dict[str, Chains]
) -> TargetMaps:
    values = {}
    axes = POOLING[request.pooling]
    for layer in request.layers:
        A = at_least_float32(
            unpacked(case.unpack, case.captured.activations[layer].detach(), layer)
        )
        if len(A) != len(case.scores):
            raise UsageError(
                f"layer {layer!r} gives maps of {len(A)} samples {tuple(A.shape)} beside "
                f"{len(case.scores)} scores: choose another layer, or give unpack="
            )
        for method in request.methods:
            needed = [at_least_float32(evidence[need][layer]) for need in METHODS[method].needs]
            map_ = signed_map(method, A, needed, axes, request.eigen_smooth)
            if map_.shape[1:] != A.shape[2:]:  # on the input's grid: gathered onto the layer's
                size = input_size(case.x)
                centres = cell_centres(A.shape[2:], size, chains[layer], request.align)
                map_ = gather_onto(map_, centres, size)
            values[layer, method] = map_.float()
    return TargetMaps(values, case.scores.detach().float(), case.class_ids, case.fixed_target)
