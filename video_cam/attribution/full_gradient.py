"""FullGrad: the contributions of the input and of every bias to a score.

Srinivas and Fleuret 2019, "Full-Gradient Representation for Neural Network Visualization".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from video_cam.attribution.cam_methods import at_least_float32
from video_cam.attribution.targets import Target, target_scores
from video_cam.errors import UsageError
from video_cam.layers.axes import detached, input_size, run_network
from video_cam.layers.differentiable import (
    no_gradient,
    reentrant_checkpoints_refused,
    refuse_quantised,
)
from video_cam.layers.hooks import forward_hooks, frozen_evaluation

BatchNorm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Affine = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, *BatchNorm)


def full_gradient(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """FullGrad's map (eq. 8).

    The sum of psi(f) over the channels f of all gradient components; psi is the absolute value,
    scaled to [0, 1] over the grid and upsampled. Components without a grid, such as those of linear
    layers, are left out, as in the paper.

    Args:
        x: (N, C, T, H, W) or (N, C, H, W).
        target: as in ``target_scores``.

    Returns:
        (N, 1, T, H, W) on the input's grid, not negative.

    Raises:
        UsageError: for networks with several inputs, and for exported ones.
    """
    size = input_size(x)
    of_input, *of_biases = gradient_components(model, x, target)
    components = [component for component in (of_input, *of_biases) if component.ndim > 3]
    return torch.stack([_psi(_with_time(one, len(x)), size) for one in components]).sum(0)


def gradient_components(model: nn.Module, x: Tensor, target: Target = None) -> list[Tensor]:
    """The components of the full gradient, signed.

    For networks of linear, ReLU, max and average layers they sum to the score exactly
    (proposition 1).

    Args:
        x: the input tensor (N, ...).
        target: as in ``target_scores``.

    Returns:
        x times its gradient, then for every layer with a bias the bias times the gradient of the
        layer's output, each in its layer's shape (N, K, ...).

    Raises:
        UsageError: as ``full_gradient``.
    """
    if not isinstance(x, Tensor):
        raise UsageError("fullgrad takes networks with one input tensor")
    refuse_quantised(model)
    with torch.inference_mode(False), torch.enable_grad(), frozen_evaluation(model):
        leaf = detached(x).requires_grad_()
        with _recorded_outputs(model) as outputs:
            scores, _ = target_scores(run_network(model, leaf), target)
        if not outputs and any(name.endswith("bias") for name, _ in model.named_parameters()):
            raise UsageError(
                "fullgrad finds none of the network's biases, as in one from torch.export: give "
                "the network itself"
            )
        tensors = [leaf, *(output for _, output in outputs)]
        if not scores.requires_grad:
            raise no_gradient("the input")
        if not all(tensor.requires_grad for tensor in tensors):
            raise no_gradient("one of the layers with a bias")
        with reentrant_checkpoints_refused():
            gradients = torch.autograd.grad(scores.sum(), tensors, allow_unused=True)
        if gradients[0] is None:
            raise no_gradient("the input")
    found = [leaf.detach() * at_least_float32(gradients[0])]
    for (module, _), raw in zip(outputs, gradients[1:], strict=True):
        if raw is not None:
            gradient = at_least_float32(raw)
            if isinstance(module, nn.Linear):  # (N, ..., K), of tokens or frames
                gradient = gradient.flatten(1, -2).sum(1) if gradient.ndim > 2 else gradient
            found.append(_along_channels(implicit_bias(module), gradient) * gradient)
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


def _with_time(component: Tensor, samples: int) -> Tensor:
    """(N, K, T, H, W) of (N x T, K, H, W), with T = 1 for images."""
    if component.ndim == 5:
        return component
    return component.unflatten(0, (samples, -1)).transpose(1, 2)


@contextmanager
def _recorded_outputs(model: nn.Module) -> Iterator[list[tuple[nn.Module, Tensor]]]:
    """The layers with a bias, in the order in which they run, with their outputs."""
    outputs: list[tuple[nn.Module, Tensor]] = []

    def record(_name: str, module: nn.Module, output: Tensor) -> Tensor:
        outputs.append((module, output))
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
