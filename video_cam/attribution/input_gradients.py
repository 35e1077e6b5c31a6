"""Gradients with respect to the input: guided backpropagation and SmoothGrad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from video_cam.attribution.targets import Target, target_scores
from video_cam.errors import UsageError
from video_cam.layers.hooks import frozen_evaluation, retried_with_copies

# Activations with negative outputs or smooth bends have no gate (x > 0) to be guided by.
_NOT_RECTIFIERS = {
    "_prelu_kernel_backward": "PReLU",
    "elu_backward": "ELU, SELU or CELU",
    "gelu_backward": "GELU",
    "hardswish_backward": "Hardswish",
    "leaky_relu_backward": "LeakyReLU",
    "mish_backward": "Mish",
    "rrelu_with_noise_backward": "RReLU",
    "silu_backward": "SiLU",
    "softplus_backward": "Softplus",
}
# One node of the graph stands for a whole compiled piece, whose ReLUs are fused into other code.
_COMPILED_NODES = ("CompiledFunctionBackward", "DifferentiableGraphBackward")


def guided_backprop(model: nn.Module, x: Tensor, target: Target = None) -> Tensor:
    """The guided gradient of the target score: the shape and dtype of ``x``.

    At every ReLU the backward pass is g (x > 0) (g > 0) (Springenberg et al. 2015, section 3.4);
    elsewhere it is the gradient. ReLU6 and Threshold are gates of the same kind; sigmoid and tanh,
    and a ReLU written as clamp or maximum, keep their gradient. ``target`` is as in
    ``compute_cams``. The model is left exactly as found. Raises UsageError for activations that
    are not ReLUs (GELU, SiLU, ...) and for compiled networks, whose ReLUs cannot be seen.
    """
    return _input_gradient(model, x, target, guided=True)


def guided_cam(gradient: Tensor, cam: Tensor) -> Tensor:
    """Guided Grad-CAM: gradient times map, channel by channel (Selvaraju et al. 2017, section 3.2).

    ``gradient`` is (N, C, T, H, W), or (N, C, H, W) with T = 1, and gives the shape of the result;
    ``cam`` is (N, T, H, W), upsampled and normalised to [0, 1].
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
    """SmoothGrad: the mean gradient over ``samples`` noisy copies of ``x``, in its shape and dtype.

    The noise is Gaussian with sigma = noise (max x - min x), sample by sample (Smilkov et al. 2017,
    section 3); it depends on ``seed`` and ``x`` alone. ``target`` is as in ``compute_cams``, None
    is decided on the clean input, and a function sees one noisy copy of the batch at a time.
    ``batch_size`` is the number of copies in a forward pass and changes only speed and memory.
    ``guided`` averages guided gradients. The model and the global random state are left as found.
    """
    if samples < 1 or batch_size < 1 or noise < 0:
        raise UsageError(
            f"samples={samples}, batch_size={batch_size}, noise={noise}: give at least 1 sample, "
            "a batch of at least 1, and noise that is not negative"
        )
    _check_input(x)
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


class _GuidedBackward(TorchDispatchMode):
    """Inside ``with``, a backward pass sends no negative gradient into a ReLU.

    Guided backpropagation is the ordinary backward pass with max(g, 0) in front of every ReLU. The
    backward formula of every ReLU is one operation, ``threshold_backward``, whether it is a module
    (used once or often), a function, a method, in place, or in place on a view, which hides it from
    anything that walks the graph. Changing that operation's argument on its way leaves the model
    and its forward pass alone, and there is nothing to undo.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if name in _NOT_RECTIFIERS:
            self.refused.add(_NOT_RECTIFIERS[name])
        if name == "threshold_backward" or (name == "hardtanh_backward" and args[2] == 0):
            args = (args[0].clamp(min=0), *args[1:])
        return func(*args, **(kwargs or {}))


def _input_gradient(model: nn.Module, x: Tensor, target: Target, guided: bool) -> Tensor:
    """d (sum of target scores) / d x, guided or not; ``.grad`` of no tensor is touched."""
    _check_input(x)
    with _differentiable(model):
        return retried_with_copies(lambda: _input_gradient_once(model, x, target, guided))


def _input_gradient_once(model: nn.Module, x: Tensor, target: Target, guided: bool) -> Tensor:
    leaf = x.detach().clone().requires_grad_()
    # The clone goes in: a network may begin with an operation in place, which a leaf refuses.
    scores, _ = target_scores(model(leaf.clone()), target)
    if not scores.requires_grad:
        raise _no_path()
    backward = _guided_gradient if guided else _plain_gradient
    (gradient,) = backward(scores.sum(), leaf)
    if gradient is None:
        raise _no_path()
    return gradient


def _plain_gradient(score: Tensor, leaf: Tensor) -> Sequence[Tensor | None]:
    return torch.autograd.grad(score, leaf, allow_unused=True)


def _guided_gradient(score: Tensor, leaf: Tensor) -> Sequence[Tensor | None]:
    compiled = [name for name in _node_names(score) if name.endswith(_COMPILED_NODES)]
    if compiled:
        raise UsageError(
            "guided backpropagation cannot see the ReLUs of a compiled network: give the network "
            "as it was before torch.compile or torch.jit"
        )
    with _GuidedBackward() as mode:
        gradients = _plain_gradient(score, leaf)
    if mode.refused:
        raise UsageError(
            "guided backpropagation is defined for ReLU, and this network has "
            f"{', '.join(sorted(mode.refused))}: use smooth_gradient, which suits any activation"
        )
    return gradients


def _node_names(score: Tensor) -> set[str]:
    """The names of the nodes in the graph that leads to ``score``."""
    seen: set[torch.autograd.graph.Node] = set()
    waiting = [score.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [parent for parent, _ in node.next_functions]
    return {node.name() for node in seen}


@contextmanager
def _differentiable(model: nn.Module) -> Iterator[None]:
    """Frozen evaluation with gradients enabled, whatever the caller has switched off."""
    with ExitStack() as stack:
        stack.enter_context(frozen_evaluation(model))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        yield


def _best_classes(model: nn.Module, x: Tensor) -> list[int]:
    with frozen_evaluation(model), torch.no_grad():
        _, class_ids = target_scores(model(x.clone()), None)
    assert class_ids is not None  # for the type checker: only functions have no class ids
    return class_ids.tolist()


def _noisy_copies(x: Tensor, samples: int, noise: float, seed: int) -> Iterator[Tensor]:
    """``samples`` times x plus noise. Drawn on the CPU: the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    flat = x.flatten(1)
    sigma = noise * (flat.amax(1) - flat.amin(1)).reshape(-1, *[1] * (x.ndim - 1))
    for _ in range(samples):
        yield x + sigma * torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)


def _repeated(target: Target, copies: int) -> Target:
    """The target for so many copies of the batch, one behind the other."""
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
