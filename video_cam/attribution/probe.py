"""``CAMProbe``, a module to insert into a network for maps during training."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.cam_methods import GRADIENT_METHODS, POOLING
from video_cam.errors import UsageError
from video_cam.utils.names import check_names


class CAMProbe(nn.Module):
    """An identity module that keeps the last activation and computes maps of scores on it.

    Create it in ``__init__`` and call it in ``forward``: ``x = self.probe(x)``, with x (N, K, L),
    (N, K, H, W) or (N, K, T, H, W). It does not change training, and has no state in checkpoints;
    copies of the network do not contain the kept activation. Where gradients are enabled it keeps
    the graph of the last pass alive, until the next pass or ``clear()``.

    Attributes:
        enabled: False turns it into a plain identity.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True
        self.clear()

    def clear(self) -> None:
        """Drop the activation, its gradient and the graph of the last pass."""
        self._kept: Tensor | None = None
        self._gradient: Tensor | None = None

    @property
    def activation(self) -> Tensor | None:
        """The activation of the last forward pass, detached, in the shape of x; None before."""
        return None if self._kept is None else self._kept.detach()

    @property
    def gradient(self) -> Tensor | None:
        """The gradient of the last activation in the last backward pass, in its shape.

        None before a backward pass; ``map`` makes one too.
        """
        return self._gradient

    def forward(self, x: Tensor) -> Tensor:
        """``x``, unchanged.

        Raises:
            UsageError: unless x is a floating-point tensor.
        """
        if not self.enabled:
            return x
        if not isinstance(x, Tensor) or not x.is_floating_point():
            found = str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
            raise UsageError(f"a probe got {found}: put it where a floating-point tensor passes")
        self.clear()
        if torch.is_grad_enabled() and not x.requires_grad:
            x = x.detach().requires_grad_()  # no trainable layer before: the graph starts here
        # Two copies, so that in-place operations before and after the probe do not change the kept
        # activation.
        kept = x.clone()
        if kept.requires_grad:
            kept.register_hook(_keep_gradient(self, kept))
        self._kept = kept
        return kept.clone()

    def map(self, score: Tensor, method: str = "gradcam", pooling: str = "clip") -> Tensor:
        """The class activation map of ``score.sum()``.

        No ``.grad`` is changed, and ``score.backward()`` is still possible afterwards.

        Args:
            score: from the last forward pass, such as ``outputs[:, 3]``.
            method: a key of GRADIENT_METHODS.
            pooling: a key of POOLING.

        Returns:
            Signed float32 (N, T', H', W'). For x (N, K, L), L is T'; (N, K, H, W) is one frame.

        Raises:
            UsageError: where the score does not depend on the last activation, and for wrong names.
        """
        check_names("method", [method], GRADIENT_METHODS)
        check_names("pooling", [pooling], POOLING)
        if self._kept is None:
            raise UsageError("a probe has seen no forward pass: run the network with it enabled")
        A, G = _grid(self._kept.detach()), _grid(_gradient(score, self._kept))
        weights = GRADIENT_METHODS[method](A, G, POOLING[pooling])
        return (weights * A).sum(1).float()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None, "_gradient": None}


def _keep_gradient(probe: CAMProbe, kept: Tensor) -> Callable[[Tensor], None]:
    """A hook that stores the gradient of ``kept`` while that is the probe's last activation."""
    # Weak references: the graph holds its hooks, so the hooks must not hold the graph.
    probe_ref, kept_ref = weakref.ref(probe), weakref.ref(kept)

    def hook(gradient: Tensor) -> None:
        probe, kept = probe_ref(), kept_ref()
        if probe is not None and kept is not None and probe._kept is kept:
            # A copy, because later operations may add to this tensor in place.
            probe._gradient = gradient.detach().clone()

    return hook


def _gradient(score: Tensor, kept: Tensor) -> Tensor:
    """d (sum of score) / d kept; the graph is retained, and no ``.grad`` is changed."""
    if not kept.requires_grad:
        raise UsageError(
            "the last pass through the probe had gradients switched off: make it under "
            "torch.enable_grad()"
        )
    if not score.requires_grad:
        raise _no_path()
    try:
        with torch.inference_mode(False), torch.enable_grad():
            total = score.sum()
            (gradient,) = torch.autograd.grad(total, kept, retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        if "backward through the graph a second time" not in str(error):
            raise
        raise UsageError(
            "backward() has freed the graph of the last pass: call map before it, or "
            "backward(retain_graph=True)"
        ) from error
    if gradient is None:
        raise _no_path()
    return gradient


def _grid(tensor: Tensor) -> Tensor:
    """(N, K, T', H', W') of (N, K, L) with L in time, (N, K, H, W) or (N, K, T, H, W)."""
    if tensor.ndim == 3:
        return tensor[..., None, None]  # (N, K, T', 1, 1)
    if tensor.ndim == 4:
        return tensor.unsqueeze(2)  # (N, K, 1, H', W')
    if tensor.ndim == 5:
        return tensor
    raise UsageError(
        f"the probe's activation has shape {tuple(tensor.shape)}, expected (N, K, L), "
        "(N, K, H, W) or (N, K, T, H, W): put the probe where features have positions"
    )


def _no_path() -> UsageError:
    return UsageError(
        "the score does not depend on the probe's last activation: take it from the outputs of the "
        "last pass, with gradients enabled and nothing detached"
    )
