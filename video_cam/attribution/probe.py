"""A module to put into one's own network that shows what passes through it: ``CAMProbe``."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.methods import GRADIENT_METHODS, POOLING
from video_cam.errors import UsageError
from video_cam.utils.names import check_names


class CAMProbe(nn.Module):
    """An identity that keeps the last activation that passed it, and maps scores onto it.

    Build it in ``__init__`` and call it in ``forward``: ``x = self.probe(x)``, with x (N, K, L),
    (N, K, H, W) or (N, K, T, H, W). Training goes on as without it, and checkpoints are unaffected:
    it has no state to save, and copies of the network do not carry what it keeps. Where gradients
    are enabled it keeps the graph of the last pass alive, until the next pass or ``clear()``.

    ``enabled``: False makes it do nothing at all.
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
        """What passed in the last forward pass, detached: the shape of x. None before."""
        return None if self._kept is None else self._kept.detach()

    @property
    def gradient(self) -> Tensor | None:
        """The gradient of the last backward pass through the last activation, in its shape.

        None before; ``map`` makes a backward pass too.
        """
        return self._gradient

    def forward(self, x: Tensor) -> Tensor:
        """``x``, unchanged. Raises UsageError unless it is a floating-point tensor."""
        if not self.enabled:
            return x
        if not isinstance(x, Tensor) or not x.is_floating_point():
            found = str(x.dtype) if isinstance(x, Tensor) else type(x).__name__
            raise UsageError(f"a probe got {found}: put it where a floating-point tensor passes")
        self.clear()
        if torch.is_grad_enabled() and not x.requires_grad:
            x = x.detach().requires_grad_()  # nothing trainable in front: the graph starts here
        # Two copies: operations in place, on what goes on as on what came in, miss the one kept.
        kept = x.clone()
        if kept.requires_grad:
            kept.register_hook(_keep_gradient(self, kept))
        self._kept = kept
        return kept.clone()

    def map(self, score: Tensor, method: str = "gradcam", pooling: str = "clip") -> Tensor:
        """The class activation map of ``score.sum()``: signed float32 (N, T', H', W').

        ``score`` comes from the last forward pass, such as ``outputs[:, 3]``; ``method`` is a key
        of GRADIENT_METHODS, ``pooling`` of POOLING. Of (N, K, L), L is T'; (N, K, H, W) is one
        frame. ``.grad`` of no parameter is touched, and ``score.backward()`` remains possible
        afterwards. Raises UsageError where no graph leads from the last activation to the score.
        """
        check_names("method", [method], GRADIENT_METHODS)
        check_names("pooling", [pooling], POOLING)
        if self._kept is None:
            raise UsageError("a probe has seen no forward pass: run the network, probe enabled")
        A, G = _grid(self._kept.detach()), _grid(_gradient(score, self._kept))
        weights = GRADIENT_METHODS[method](A, G, POOLING[pooling])
        return (weights * A).sum(1).float()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None, "_gradient": None}


def _keep_gradient(probe: CAMProbe, kept: Tensor) -> Callable[[Tensor], None]:
    """A hook that notes the gradient of ``kept`` while that is the probe's last activation."""
    # Weak: the graph holds its hooks, and they must not hold the graph.
    the_probe, the_kept = weakref.ref(probe), weakref.ref(kept)

    def hook(gradient: Tensor) -> None:
        probe, kept = the_probe(), the_kept()
        if probe is not None and kept is not None and probe._kept is kept:
            # A copy: what follows may add to this tensor in place.
            probe._gradient = gradient.detach().clone()

    return hook


def _gradient(score: Tensor, kept: Tensor) -> Tensor:
    """d (sum of score) / d kept; the graph stays, and ``.grad`` of no tensor is touched."""
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
    """(N, K, T', H', W') of (N, K, L), which lies in time, (N, K, H, W) or (N, K, T, H, W)."""
    if tensor.ndim == 3:
        return tensor[..., None, None]  # (N, K, T', 1, 1)
    if tensor.ndim == 4:
        return tensor.unsqueeze(2)  # (N, K, 1, H', W')
    if tensor.ndim == 5:
        return tensor
    raise UsageError(
        f"what passed the probe has shape {tuple(tensor.shape)}, expected (N, K, L), (N, K, H, W) "
        "or (N, K, T, H, W): put the probe where features have places"
    )


def _no_path() -> UsageError:
    return UsageError(
        "the score does not depend on what last passed the probe: take it from the outputs of the "
        "last pass, with gradients enabled and nothing detached"
    )
