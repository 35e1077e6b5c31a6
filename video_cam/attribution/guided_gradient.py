"""The backward pass of guided backpropagation, for ReLUs written in any way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from video_cam.errors import UsageError

# Activations with negative outputs or without a kink at 0 have no gate (x > 0) for the rule.
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
# One such node of the graph stands for a compiled part, whose ReLUs are fused into other code.
_COMPILED_NODES = ("CompiledFunctionBackward", "DifferentiableGraphBackward")


def guided_gradient(score: Tensor, leaf: Tensor) -> Sequence[Tensor | None]:
    """d score / d leaf with the gradient max(g, 0) before every ReLU.

    Args:
        score: a scalar.
        leaf: a tensor of its graph.

    Returns:
        One gradient in the shape of ``leaf``, None where the score does not depend on it.

    Raises:
        UsageError: for activations that are not ReLUs, and for compiled networks.
    """
    if any(name.endswith(_COMPILED_NODES) for name in _node_names(score)):
        raise UsageError(
            "guided backpropagation cannot see the ReLUs of a compiled network: give the network "
            "as it was before torch.compile or torch.jit"
        )
    with _GuidedBackward() as mode:
        gradients = torch.autograd.grad(score, leaf, allow_unused=True)
    if mode.refused:
        raise UsageError(
            "guided backpropagation is defined for ReLU, and this network has "
            f"{', '.join(sorted(mode.refused))}: use smooth_gradient (--smoothgrad), "
            "which suits any activation"
        )
    return gradients


class _GuidedBackward(TorchDispatchMode):
    """Inside the block, backward passes send no negative gradient into a ReLU.

    Guided backpropagation is the ordinary backward pass with max(g, 0) before every ReLU. The
    backward pass of a ReLU is always the operation ``threshold_backward``, whether the ReLU is a
    module (used once or several times), a function, a method, in place, or in place on a view,
    which makes it invisible in the graph. Only the argument of that operation is changed: the model
    and its forward pass stay as they are.

    Attributes:
        refused: names of activations in the graph that are not ReLUs.
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


def _node_names(score: Tensor) -> set[str]:
    """The names of the nodes in the graph of ``score``."""
    seen: set[torch.autograd.graph.Node] = set()
    waiting = [score.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [parent for parent, _ in node.next_functions]
    return {node.name() for node in seen}
