"""Gradients with respect to the input: guided backpropagation and SmoothGrad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from numbers import Integral

import torch
from torch import Tensor, nn

from video_cam.attribution.guided_gradient import guided_gradient
from video_cam.attribution.targets import Target, target_scores
from video_cam.choice_names import SCORE_METHOD_NAMES
from video_cam.errors import UsageError
from video_cam.layers.axes import run_network
from video_cam.layers.differentiable import reentrant_checkpoints_refused, refuse_quantised
from video_cam.layers.hooks import frozen_evaluation, retried_with_copies
from video_cam.layers.output_search import with_class_scores
from video_cam.layers.scores_only import ScoresOnly, ScriptedNetwork, as_network
from video_cam.utils.devices import sent


def guided_backprop(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """Guided backpropagation: the guided gradient of the target's score at the input.

    At every ReLU the backward pass is g (x > 0) (g > 0) (Springenberg et al. 2015, section 3.4);
    elsewhere it is the gradient. ReLU6 and Threshold are treated as ReLUs; sigmoid, tanh, and a
    ReLU written as clamp or maximum keep their gradient. The model is left exactly as it was.

    Args:
        model: any network without other rectifiers.
        x: floating-point (N, C, T, H, W) or (N, C, H, W).
        target: as in ``compute_cams``.

    Returns:
        Signed, in the shape and dtype of ``x``.

    Raises:
        UsageError: for activations that are not ReLUs (GELU, SiLU, ...), for networks with
            scripted parts, whose ReLUs cannot be seen, and for wrong inputs and targets.
    """
    _check_input(x)
    return _input_gradient(_scored(model, x, target), x, target, guided=True)


def guided_cam(gradient: Tensor, cam: Tensor) -> Tensor:
    """Guided Grad-CAM: guided gradient times map (Selvaraju et al. 2017, section 3.2).

    Args:
        gradient: (N, C, T, H, W), or (N, C, H, W) for T = 1.
        cam: (N, T, H, W), upsampled and normalised to [0, 1].

    Returns:
        Signed, in the shape of ``gradient``.

    Raises:
        UsageError: where the shapes do not fit.
    """
    volume = gradient.unsqueeze(2) if gradient.ndim == 4 else gradient
    if volume.ndim != 5 or cam.shape != volume[:, 0].shape:
        raise UsageError(
            f"a gradient of shape {tuple(gradient.shape)} and a map of shape {tuple(cam.shape)} do "
            "not fit: upsample the map to (N, T, H, W) of the gradient"
        )
    return (volume * cam.unsqueeze(1)).reshape(gradient.shape)


def smooth_gradient(
    model: nn.Module,
    x: Tensor,
    target: Target = None,
    *,
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    batch_size: int = 1,
    guided: bool = False,
) -> Tensor:
    """SmoothGrad: the mean gradient over noisy inputs (Smilkov et al. 2017, section 3).

    The model and the global random state are left exactly as they were.

    Args:
        model: any network.
        x: floating-point (N, C, T, H, W) or (N, C, H, W).
        target: as in ``compute_cams``. None means the best classes of the input without noise; a
            function receives the outputs for one noisy copy of the batch at a time.
        samples: number of noisy copies.
        noise: standard deviation of the Gaussian noise, as a fraction of max - min of each sample.
        seed: of the noise, which depends on nothing else but ``x``.
        batch_size: copies in one forward pass; changes speed and memory only.
        guided: average guided gradients, as of ``guided_backprop``.

    Returns:
        Signed, in the shape and dtype of ``x``.

    Raises:
        UsageError: for wrong options, and as ``guided_backprop``.
    """
    if samples < 1 or batch_size < 1 or noise < 0:
        raise UsageError(
            f"samples={samples}, batch_size={batch_size}, noise={noise}: give at least 1 sample, "
            "a batch of at least 1, and noise that is not negative"
        )
    _check_input(x)
    model = _scored(model, x, target)
    if target is None:
        target = _best_classes(model, x)
    copies = 1 if callable(target) else min(batch_size, samples)
    noisy = _noisy_copies(x, samples, noise, seed)
    with torch.inference_mode(False), torch.no_grad():
        total = torch.zeros_like(x)
        for start in range(0, samples, copies):
            batch = torch.cat([next(noisy) for _ in range(min(copies, samples - start))])
            ids = _repeated(target, len(batch) // len(x))
            total += _input_gradient(model, batch, ids, guided).unflatten(0, (-1, len(x))).sum(0)
        return total / samples


def _scored(model: nn.Module, x: Tensor, target: Target) -> nn.Module:
    """The network with class scores as its output; for a function the network itself."""
    model = as_network(model)
    if isinstance(model, ScoresOnly) and not model.has_input_gradient:
        raise UsageError(
            f"gradients at the input need a network of PyTorch, and {model.kind} gives scores "
            f"alone: compute_cams with {' or '.join(SCORE_METHOD_NAMES)} works"
        )
    return model if callable(target) else with_class_scores(model, x)


def _input_gradient(model: nn.Module, x: Tensor, target: Target, guided: bool) -> Tensor:
    """d (sum of target scores) / d x, guided or not; no ``.grad`` is changed."""
    refuse_quantised(model)
    with _differentiable(model), _with_all_nodes(model) if guided else nullcontext():
        return retried_with_copies(lambda: _input_gradient_once(model, x, target, guided))


def _input_gradient_once(model: nn.Module, x: Tensor, target: Target, guided: bool) -> Tensor:
    leaf = x.detach().clone().requires_grad_()
    # A clone, because the network may begin with an in-place operation, which a leaf refuses.
    scores, _ = target_scores(run_network(model, leaf.clone()), target)
    if not scores.requires_grad:
        raise _no_path()
    backward = guided_gradient if guided else _plain_gradient
    with reentrant_checkpoints_refused():
        (gradient,) = backward(scores.sum(), leaf)
    if gradient is None:
        raise _no_path()
    return gradient


def _plain_gradient(score: Tensor, leaf: Tensor) -> Sequence[Tensor | None]:
    return torch.autograd.grad(score, leaf, allow_unused=True)


@contextmanager
def _differentiable(model: nn.Module) -> Iterator[None]:
    """Frozen evaluation with gradients enabled, also where the caller has disabled them."""
    with ExitStack() as stack:
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        yield


@contextmanager
def _with_all_nodes(model: nn.Module) -> Iterator[None]:
    """TorchScript as it was written, so that its ReLUs can be seen."""
    with ExitStack() as stack:
        for part in model.modules():
            if isinstance(part, ScriptedNetwork):
                stack.enter_context(part.unoptimised())
        yield


def _best_classes(model: nn.Module, x: Tensor) -> list[int]:
    with frozen_evaluation(model), torch.no_grad():
        _, class_ids = target_scores(run_network(model, x.clone()), None)
    assert class_ids is not None  # for the type checker: only functions have no class ids
    return class_ids.tolist()


def _noisy_copies(x: Tensor, samples: int, noise: float, seed: int) -> Iterator[Tensor]:
    """x plus noise, ``samples`` times. Drawn on the CPU, so that all devices get the same noise."""
    generator = torch.Generator().manual_seed(seed)
    flat = x.flatten(1)
    sigma = noise * (flat.amax(1) - flat.amin(1)).reshape(-1, *[1] * (x.ndim - 1))
    for _ in range(samples):
        unit = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        yield x + sigma * sent(unit, x.device)


def _repeated(target: Target, copies: int) -> Target:
    """The target for several copies of the batch, one after another."""
    if target is None or isinstance(target, int | Integral) or callable(target):
        return target
    return list(target) * copies


def _check_input(x: Tensor) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim < 2:
        found = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise UsageError(
            f"the input is {found}, expected one floating-point tensor (N, C, T, H, W) or "
            "(N, C, H, W): convert it, or wrap the network in one that takes such a tensor"
        )


def _no_path() -> UsageError:
    return UsageError(
        "the score does not depend on the input: choose a target computed from the network's "
        "output, and a network that does not detach"
    )
