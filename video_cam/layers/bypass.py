"""How much of a score's gradient goes round a layer, through a residual connection or a pathway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.errors import UsageError
from video_cam.layers.axes import run_network
from video_cam.layers.hooks import capture
from video_cam.layers.measured_alignment import drawn_input
from video_cam.layers.outputs import class_scores
from video_cam.layers.reachability import MAX_TESTED_LAYERS, sum_of_squares
from video_cam.layers.trace import input_dtype

# Of the gradient's norm: what rounding leaves of a gradient that goes through a layer.
NOTHING = 1e-2


def last_cut(model: nn.Module, size: Sequence[int], layers: Sequence[str]) -> tuple[str, float]:
    """The best of ``layers`` through which all of the scores' gradient goes.

    Of a layer inside a residual block the map shows a part only: what the connection round it adds
    to the scores is missing.

    Args:
        size: (T, H, W) of the input.
        layers: module names, the best first; only the first MAX_TESTED_LAYERS are tested.

    Returns:
        The first layer that nothing goes round, else the first of all; and the share of the
        gradient's norm that goes round it.
    """
    shares = bypassing_shares(model, size, layers[:MAX_TESTED_LAYERS], enough=NOTHING)
    cuts = [name for name, share in shares.items() if share < NOTHING]
    return (cuts[0], 0.0) if cuts else (layers[0], shares.get(layers[0], 0.0))


def bypassing_shares(
    model: nn.Module, size: Sequence[int], layers: Sequence[str], enough: float = 0.0
) -> dict[str, float]:
    """For each layer |g - through| / |g|, in [0, ...): 0 where all of the gradient goes through it.

    g is the gradient of the best class's score at a drawn input, and "through" the part of it that
    goes through the layer, J^T d score / d A with J the layer's derivative by the input.

    Args:
        size: (T, H, W) of the input.
        layers: module names.
        enough: the layers behind the first with a share below this one are left out.

    Returns:
        Layer -> share, in the order of ``layers``; empty where the score has no gradient at the
        input.
    """
    parameter = next(model.parameters(), torch.empty(0))
    x = drawn_input(0, size).to(parameter.device, input_dtype(model)).requires_grad_()
    with capture(model, layers) as captured, torch.autograd.graph.allow_mutation_on_saved_tensors():
        score = _best_score(run_network(model, x.clone()))
        if not score.requires_grad:
            return {}
        (whole,) = torch.autograd.grad(score, x, retain_graph=True, allow_unused=True)
        if whole is None or not bool(whole.any()):
            return {}
        shares: dict[str, float] = {}
        for name in layers:
            shares[name] = _share(score, whole, x, captured.activations[name])
            if shares[name] < enough:
                break
        return shares


def _best_score(outputs: Any) -> Tensor:
    """That of the best class; of outputs without class scores, the sum of their squares."""
    try:
        return class_scores(outputs).amax(1).sum()
    except UsageError:
        return sum_of_squares(outputs)


def _share(score: Tensor, whole: Tensor, x: Tensor, A: Tensor) -> float:
    (G,) = torch.autograd.grad(score, A, retain_graph=True, allow_unused=True)
    if G is None:
        return 1.0
    (through,) = torch.autograd.grad(A, x, G, retain_graph=True, allow_unused=True)
    if through is None:
        return 1.0
    return float((whole - through).float().norm() / whole.float().norm())
