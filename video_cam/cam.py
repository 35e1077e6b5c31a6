"""One input -> activation maps: the library's core, for any ``nn.Module`` and any tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.alignment import PLACEMENTS, CellCentres, cell_centres, interpolate
from video_cam.capture import Captured, capture
from video_cam.errors import UsageError
from video_cam.methods import GRADIENT_METHODS, POOLING, activation_map
from video_cam.names import check_names
from video_cam.receptive_field import UNKNOWN, Chains, trace_chains

Target = int | Sequence[int] | Callable[[Any], Tensor] | None
Unpack = Callable[[Tensor], Tensor]


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


def compute_cams(
    model: nn.Module,
    x: Any,
    *,
    layers: Sequence[str],
    methods: Sequence[str] = ("gradcam",),
    targets: Sequence[Target] = (None,),
    unpack: Unpack | None = None,
    pooling: str = "clip",
    align: str = "receptive-field",
) -> list[ActivationMap]:
    """Maps for every target, layer and method (nested in that order) from one forward pass.

    ``x`` is what the network's forward takes: a tensor, or a tuple or list of them. A target is
    None (each sample's best class), a class id, one id per sample, or a function from the
    network's outputs to (N,) scores; there is one backward pass per target. ``unpack`` brings a
    layer's output to (N, K, T', H', W'); without it five axes are taken as they are and four as
    one frame. The network is left exactly as found. Raises UsageError for wrong names.
    """
    check_names("method", methods, GRADIENT_METHODS)
    check_names("pooling", [pooling], POOLING)
    check_names("align", [align], PLACEMENTS)
    size = input_size(x)
    chains = trace_chains(model, x, layers)
    unpack = unpack or to_grid
    with capture(model, layers) as captured:
        _, passes = run(model, x, captured, lambda outputs: targets)
    return [
        _activation_map(one, layer, method, unpack, pooling, align, size, chains[layer])
        for one in passes
        for layer in layers
        for method in methods
    ]


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


@dataclass(frozen=True)
class TargetPass:
    """What one backward pass gave: activations and gradients by layer, scores (N,), class ids."""

    activations: dict[str, Tensor]
    gradients: dict[str, Tensor]
    scores: Tensor
    class_ids: Tensor | None


def run(
    model: nn.Module,
    x: Any,
    captured: Captured,
    choose: Callable[[Any], Sequence[Target]],
    precision: str = "fp32",
) -> tuple[Any, list[TargetPass]]:
    """One forward pass and a backward pass per target, inside ``with capture(...)``.

    ``choose`` names the targets once the outputs are known. Returns the outputs and one TargetPass
    per target. Networks that change, in place, a tensor that autograd had saved are refused by
    autograd: for them, and only for them, the pass is made again with copies in the tensors' place.
    """
    try:
        return _run_once(model, x, captured, choose, precision)
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        with torch.autograd.graph.allow_mutation_on_saved_tensors():
            return _run_once(model, x, captured, choose, precision)


def _run_once(
    model: nn.Module,
    x: Any,
    captured: Captured,
    choose: Callable[[Any], Sequence[Target]],
    precision: str,
) -> tuple[Any, list[TargetPass]]:
    captured.clear()
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        outputs = model(_detached(x))
    missing = [name for name in captured.layers if name not in captured.activations]
    if missing:
        raise UsageError(f"layer {missing[0]!r} did not run in the forward pass: choose another")
    targets = choose(outputs)
    activations = {name: tensor.detach() for name, tensor in captured.activations.items()}
    passes = []
    for index, target in enumerate(targets):
        scores, class_ids = target_scores(outputs, target)
        more = index < len(targets) - 1
        gradients = captured.gradients(scores.sum(), retain_graph=more)
        passes.append(TargetPass(activations, gradients, scores.detach(), class_ids))
    return outputs.detach() if isinstance(outputs, Tensor) else outputs, passes


def target_scores(outputs: Any, target: Target) -> tuple[Tensor, Tensor | None]:
    """The (N,) scores a target names in the network's (N, classes) outputs, and its class ids."""
    if callable(target):
        return target(outputs), None
    if not isinstance(outputs, Tensor) or outputs.ndim != 2:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UsageError(
            f"the network put out {shape}, expected (N, classes): give the target as a function "
            "from its output to (N,) scores"
        )
    batch, classes = outputs.shape
    if target is None:
        class_ids = outputs.detach().argmax(1)
    else:
        ids = [target] * batch if isinstance(target, int) else list(target)
        if len(ids) != batch:
            raise UsageError(f"{len(ids)} class ids for {batch} samples: give one per sample")
        wrong = [i for i in ids if not 0 <= i < classes]
        if wrong:
            raise UsageError(f"class id {wrong[0]} is outside 0 ... {classes - 1}")
        class_ids = torch.tensor(ids, device=outputs.device)
    return outputs.gather(1, class_ids[:, None])[:, 0], class_ids


def weighted_maps(one: TargetPass, layer: str, method: str, unpack: Unpack, pooling: str) -> Tensor:
    """Signed float32 (N, T', H', W') of one layer and gradient method."""
    A, G = (_grid(unpack, tensors[layer], layer) for tensors in (one.activations, one.gradients))
    return activation_map(GRADIENT_METHODS[method](A, G, POOLING[pooling]), A).float()


def to_grid(output: Tensor) -> Tensor:
    """A layer's output as (N, K, T', H', W'): four axes are one frame, five stay as they are."""
    if output.ndim == 4:
        return output.unsqueeze(2)
    if output.ndim == 5:
        return output
    raise UsageError(
        f"a layer's output has shape {tuple(output.shape)}, expected (N, K, T, H, W) or "
        "(N, K, H, W): choose another layer, or give unpack="
    )


def input_size(x: Any) -> tuple[int, int, int]:
    """(T, H, W) of the network's input; of several inputs, that of the one with most frames."""
    tensors = [x] if isinstance(x, Tensor) else [item for item in x if isinstance(item, Tensor)]
    sizes = [(*[1] * (5 - tensor.ndim), *tensor.shape[2:]) for tensor in tensors]
    if not sizes or any(len(size) != 3 for size in sizes):
        raise UsageError("the input must be (N, C, T, H, W) or (N, C, H, W) tensors")
    return max(sizes)


def _activation_map(
    one: TargetPass,
    layer: str,
    method: str,
    unpack: Unpack,
    pooling: str,
    align: str,
    size: tuple[int, int, int],
    chains: Chains = UNKNOWN,
) -> ActivationMap:
    values = weighted_maps(one, layer, method, unpack, pooling)
    centres = cell_centres(values.shape[1:], size, chains, align)
    scores = one.scores.float()
    return ActivationMap(values, scores, one.class_ids, layer, method, centres, size)


def _grid(unpack: Unpack, tensor: Tensor, layer: str) -> Tensor:
    grid = unpack(tensor)
    if grid.ndim != 5:
        raise UsageError(
            f"unpack made {tuple(grid.shape)} of layer {layer!r}, expected (N, K, T, H, W)"
        )
    return grid


def _detached(x: Any) -> Any:
    """The caller's tensors without their graph, packed afresh: some networks change the list."""
    if isinstance(x, Tensor):
        # A tensor made in inference mode cannot be saved for backward; its clone can.
        return x.clone() if x.is_inference() else x.detach()
    if isinstance(x, (tuple, list)):
        return type(x)(_detached(item) for item in x)
    return x
