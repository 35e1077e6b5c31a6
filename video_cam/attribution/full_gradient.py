"""FullGrad: the contributions of the input and of every bias to a score.

Srinivas and Fleuret 2019, "Full-Gradient Representation for Neural Network Visualization".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from video_cam.attribution.cam_methods import at_least_float32
from video_cam.attribution.targets import Target, target_scores
from video_cam.errors import UsageError
from video_cam.layers.axes import detached, input_size, run_network
from video_cam.layers.batch_order import refuse_time_first
from video_cam.layers.differentiable import (
    no_gradient,
    reentrant_checkpoints_refused,
    refuse_quantised,
)
from video_cam.layers.hooks import forward_hooks, frozen_evaluation
from video_cam.layers.layout import Fold, layouts
from video_cam.layers.measured_layout import settled_folds
from video_cam.layers.trace import trace
from video_cam.utils.devices import sent

BatchNorm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_Convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_Transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
Affine = (*_Convolution, *_Transposed, nn.Linear, *BatchNorm)

NamedTensors = list[tuple[str, Tensor]]


def full_gradient(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """FullGrad's map (eq. 8).

    The sum of psi(f) over the channels f of all gradient components; psi is the absolute value,
    scaled to [0, 1] over the grid and upsampled. Components without a grid, such as those of linear
    layers, are left out, as in the paper, and so are those of layers other than convolutions, batch
    norms and linear layers.

    The network runs a few more times, once, to find how the outputs of its layers fold.

    Args:
        x: (N, C, T, H, W) or (N, C, H, W).
        target: as in ``target_scores``.

    Returns:
        (N, 1, T, H, W) on the input's grid, not negative.

    Raises:
        UsageError: for networks with several inputs, for exported ones, and where it is not known
            at which places of the clip a layer's bias contributes.
    """
    size = input_size(x)
    of_input, of_biases = _components(model, x, target)
    whole = of_input.unsqueeze(2) if of_input.ndim == 4 else of_input
    in_space = [(name, one) for name, one in of_biases if one.ndim > 3]
    folds = _folds(model, x, in_space)
    grids = [whole, *(folds[name](one) for name, one in in_space if name in folds)]
    return torch.stack([_psi(grid, size) for grid in grids]).sum(0)


def gradient_components(model: nn.Module, x: Tensor, target: Target = None) -> list[Tensor]:
    """The components of the full gradient, signed.

    For networks of linear, ReLU, max and average layers they sum to the score exactly
    (proposition 1), except for the biases of branches that do not depend on the input.

    Args:
        x: the input tensor (N, ...).
        target: as in ``target_scores``.

    Returns:
        x times its gradient, then for every layer with a bias the bias times the gradient of the
        layer's output, each in its layer's shape (N, K, ...).

    Raises:
        UsageError: for networks with several inputs, and for exported ones.
    """
    of_input, of_biases = _components(model, x, target)
    return [of_input, *(component for _, component in of_biases)]


def _components(model: nn.Module, x: Tensor, target: Target) -> tuple[Tensor, NamedTensors]:
    """The component of the input, and those of the layers by name, in the order of the pass."""
    if not isinstance(x, Tensor):
        raise UsageError("fullgrad takes networks with one input tensor")
    refuse_quantised(model)
    with torch.inference_mode(False), torch.enable_grad(), frozen_evaluation(model):
        leaf = detached(x).requires_grad_()
        with _recorded_outputs(model) as recorded:
            scores, _ = target_scores(run_network(model, leaf), target)
        if not recorded and any(name.endswith("bias") for name, _ in model.named_parameters()):
            raise UsageError(
                "fullgrad finds none of the network's biases, as in one from torch.export: give "
                "the network itself"
            )
        if not scores.requires_grad:
            raise no_gradient("the input")
        outputs = _depending_on_input(model, leaf.detach(), recorded)
        tensors = [leaf, *(output for _, output in outputs)]
        with reentrant_checkpoints_refused():
            gradients = torch.autograd.grad(scores.sum(), tensors, allow_unused=True)
        if gradients[0] is None:
            raise no_gradient("the input")
    found = []
    for (name, _), raw in zip(outputs, gradients[1:], strict=True):
        if raw is not None:
            module = model.get_submodule(name)
            gradient = at_least_float32(raw)
            if isinstance(module, nn.Linear):  # (N, ..., K), of tokens or frames
                gradient = gradient.flatten(1, -2).sum(1) if gradient.ndim > 2 else gradient
            found.append((name, _along_channels(implicit_bias(module), gradient) * gradient))
    return leaf.detach() * at_least_float32(gradients[0]), found


def _depending_on_input(model: nn.Module, x: Tensor, recorded: NamedTensors) -> NamedTensors:
    """The outputs without those that are the same for every input, which have no place in it.

    Raises:
        UsageError: where the input changes an output without a gradient.
    """
    if all(output.requires_grad for _, output in recorded):
        return recorded
    generator = torch.Generator().manual_seed(0)
    noise = sent(torch.randn(x.shape, generator=generator).to(x.dtype), x.device)
    with _recorded_outputs(model) as others, torch.no_grad():
        run_network(model, x + noise)
    kept = []
    for (name, output), (_, other) in zip(recorded, others, strict=True):
        if output.requires_grad:
            kept.append((name, output))
        elif not torch.equal(output, other):
            raise no_gradient(f"the input through layer {name!r}")
    return kept


def _folds(
    model: nn.Module, x: Tensor, components: Sequence[tuple[str, Tensor]]
) -> dict[str, Fold]:
    """How the components of layers with a grid become (N, K, T', H', W').

    Raises:
        UsageError: for a layer of which that is not known.
    """
    calls = Counter(name for name, _ in components)
    sample = x[:1]
    size, modules = input_size(sample), trace(model, sample).modules
    possible = layouts(modules.values(), size)
    wanted = [name for name, count in calls.items() if name in possible and count == 1]
    found = settled_folds(model, possible, wanted, size, sample)
    for name, component in components:
        if name in found or component.shape[2:].numel() == 1:  # such as of a weight per channel
            continue
        what = (
            f"runs {calls[name]} times in a forward pass"
            if calls[name] > 1
            else f"has no grid of places: its output is {tuple(component.shape)}"
        )
        raise UsageError(
            f"fullgrad adds up the biases of all layers at their places, and layer {name!r} "
            f"{what}; choose another method"
        )
    of_times = [name for name, fold in found.items() if fold.frames]
    if of_times and len(x) > 1:
        refuse_time_first(model, x, sample, of_times)
    return found


def implicit_bias(module: Any) -> Tensor:
    """The constant (K,) that a layer adds: its bias, or beta - gain * mean of batch norm."""
    if not isinstance(module, BatchNorm):
        return module.bias.detach()
    assert module.running_var is not None and module.running_mean is not None
    gain = (module.running_var + module.eps).rsqrt()
    beta = torch.zeros_like(gain)
    if module.affine:
        gain, beta = gain * module.weight, module.bias
    return (beta - gain * module.running_mean).detach()


@contextmanager
def _recorded_outputs(model: nn.Module) -> Iterator[NamedTensors]:
    """The outputs of the layers with a bias, in the order in which they run, by name."""
    outputs: NamedTensors = []

    def record(name: str, _module: nn.Module, output: Tensor) -> Tensor:
        outputs.append((name, output))
        return output.clone()  # the next operation may be in place

    with_bias = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, Affine) and _has_bias(module)
    }
    with forward_hooks(with_bias, record):
        yield outputs


def _has_bias(module: nn.Module) -> bool:
    return isinstance(module, BatchNorm) or module.bias is not None


def _along_channels(bias: Tensor, output: Tensor) -> Tensor:
    """A bias (K,) in a shape that broadcasts against (N, K, ...)."""
    return bias.reshape(1, -1, *[1] * (output.ndim - 2))


def _psi(component: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Channels scaled to [0, 1], upsampled and summed: (N, 1, T, H, W)."""
    magnitude = component.abs()
    low = magnitude.amin((2, 3, 4), keepdim=True)
    spread = magnitude.amax((2, 3, 4), keepdim=True) - low
    # A constant channel has no information about places.
    scaled = torch.where(spread > 0, (magnitude - low) / spread, torch.zeros_like(magnitude))
    return interpolate(scaled.sum(1, keepdim=True), size=size, mode="trilinear")
