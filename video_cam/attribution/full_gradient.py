"""FullGrad: the input's and every bias' share of a score (Srinivas and Fleuret 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from video_cam.attribution.methods import at_least_float32
from video_cam.attribution.targets import Target, target_scores
from video_cam.errors import UsageError
from video_cam.layers.axes import detached, input_size, time_axis
from video_cam.layers.hooks import forward_hooks, frozen_evaluation

BatchNorm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
Affine = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, *BatchNorm)


def full_gradient(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """FullGrad's map (N, 1, T, H, W) on the input's grid, not negative (eq. 8).

    The sum over the input and all channels of all layers with a bias of psi(share), psi being the
    absolute value, scaled to [0, 1] over the grid and upsampled. Biases without a grid (of linear
    layers) have no place and are left out, as in the paper. Raises UsageError for several inputs.
    """
    size = input_size(x)
    own, *biases = shares(model, x, target)
    if own.ndim == 5:
        own = own.movedim(time_axis(x), 2)
    parts = [part for part in (own, *biases) if part.ndim > 3]
    return torch.stack([_psi(_with_time(part, len(x)), size) for part in parts]).sum(0)


def shares(model: nn.Module, x: Tensor, target: Target = None) -> list[Tensor]:
    """Signed shares of the score: x * gradient, then bias * gradient of every layer with a bias.

    Each has its layer's shape (N, K, ...). For networks of linear, ReLU, max and average layers
    they sum to the score exactly (proposition 1).
    """
    if not isinstance(x, Tensor):
        raise UsageError("fullgrad takes networks with one input tensor")
    with torch.inference_mode(False), torch.enable_grad(), frozen_evaluation(model):
        leaf = detached(x).requires_grad_()
        with _recorded_outputs(model) as outputs:
            scores, _ = target_scores(model(leaf), target)
        if not outputs and any(name.endswith("bias") for name, _ in model.named_parameters()):
            raise UsageError(
                "fullgrad finds none of the network's biases, as in one from torch.export: give "
                "the network itself"
            )
        tensors = [leaf, *(output for _, output in outputs)]
        gradients = torch.autograd.grad(scores.sum(), tensors, allow_unused=True)
    found = [leaf.detach() * at_least_float32(gradients[0])]
    for (module, _), raw in zip(outputs, gradients[1:], strict=True):
        if raw is not None:
            gradient = at_least_float32(raw)
            if isinstance(module, nn.Linear):  # on tokens or frames: (N, ..., K)
                gradient = gradient.flatten(1, -2).sum(1) if gradient.ndim > 2 else gradient
            found.append(_along_channels(implicit_bias(module), gradient) * gradient)
    return found


def implicit_bias(module: Any) -> Tensor:
    """What a layer adds whatever its input, (K,): its bias; of batch norm, beta - gain mean."""
    if not isinstance(module, BatchNorm):
        return module.bias.detach()
    assert module.running_var is not None and module.running_mean is not None
    gain = (module.running_var + module.eps).rsqrt()
    beta = torch.zeros_like(gain)
    if module.affine:
        gain, beta = gain * module.weight, module.bias
    return (beta - gain * module.running_mean).detach()


def _with_time(part: Tensor, samples: int) -> Tensor:
    """(N, K, H, W) as one frame, (N x T, K, H, W) of frames that were samples as T of them."""
    if part.ndim == 5:
        return part
    return part.unflatten(0, (samples, -1)).transpose(1, 2)


@contextmanager
def _recorded_outputs(model: nn.Module) -> Iterator[list[tuple[nn.Module, Tensor]]]:
    """The layers with a bias, as they run, and what they put out."""
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
    """A bias (K,) against its layer's output; a linear layer's channels are the last axis."""
    return bias.reshape(1, -1, *[1] * (output.ndim - 2))


def _psi(share: Tensor, size: tuple[int, int, int]) -> Tensor:
    magnitude = share.abs()
    low = magnitude.amin((2, 3, 4), keepdim=True)
    spread = magnitude.amax((2, 3, 4), keepdim=True) - low
    # A constant channel says nothing about places.
    scaled = torch.where(spread > 0, (magnitude - low) / spread, torch.zeros_like(magnitude))
    return interpolate(scaled.sum(1, keepdim=True), size=size, mode="trilinear")
