"""Which operation made a network's scores, and from which other entries they were computed.

Both are read from the graph of one pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from video_cam.layers.output_entries import Path
from video_cam.layers.output_reading import LOG_SOFTMAX, SCORES, SIGMOID, SOFTMAX

# Operations that only move or average numbers: what they are given decides.
_PASSING = (
    *("View", "UnsafeView", "Reshape", "Alias", "Clone", "Expand", "Slice", "Select", "Squeeze"),
    *("Unsqueeze", "Transpose", "T", "Permute", "Mean", "ToCopy", "Cat", "Stack", "Contiguous"),
    *("AdaptiveAvgPool2D", "AdaptiveAvgPool3D", "Unbind", "Split"),
    *("UpsampleNearest2D", "UpsampleNearest3D", "UpsampleBilinear2D", "UpsampleTrilinear3D"),
)
# Operations whose results are scores of any size.
_OF_WEIGHTS = ("Addmm", "Mm", "Bmm", "Baddbmm", "Convolution")
_OF_SCORES = (*_OF_WEIGHTS, "Add")
_REORDERING = ("Transpose", "T", "Permute")
_MAX_NODES = 64


def last_operation(tensor: Tensor, class_axis: int | None) -> str | None:
    """SOFTMAX or SIGMOID for probabilities that such an operation made; LOG_SOFTMAX for their logs.

    Args:
        tensor: the scores, with the graph of the pass.
        class_axis: of the tensor; None for scores of one class.

    Returns:
        SCORES where another known operation made them; None where the graph does not say.
    """
    found = set()
    waiting = [(tensor.grad_fn, class_axis)]
    for _ in range(_MAX_NODES):
        if not waiting:
            break
        node, axis = waiting.pop()
        name = _name(node)
        if name in _PASSING and node is not None:
            kept = None if name in _REORDERING or name in ("View", "UnsafeView") else axis
            waiting += [(parent, kept) for parent, _ in node.next_functions if parent is not None]
        else:
            found.add(_made_by(node, name, tensor, class_axis, axis))
    return found.pop() if len(found) == 1 else None


def without_sources(found: Mapping[Path, Tensor]) -> list[Path]:
    """The entries from which no other entry is computed: features are not among them.

    Args:
        found: entries with the graph of one pass.
    """
    return [
        path
        for path, one in found.items()
        if not any(_is_source(one, other) for other in found.values() if other is not one)
    ]


def without_refined(found: Mapping[Path, Tensor]) -> list[Path]:
    """The entries that no other entry refines: of the stages of MS-TCN only the last.

    An entry refines another where layers with weights compute it from that one; a softmax or a
    factor is not enough.

    Args:
        found: entries with the graph of one pass.
    """
    return [
        path
        for path, one in found.items()
        if not any(_refines(other, one) for other in found.values() if other is not one)
    ]


def _refines(later: Tensor, earlier: Tensor) -> bool:
    return _is_source(earlier, later) and _has_weights_after(earlier.grad_fn, later.grad_fn)


def _has_weights_after(earlier: Any, node: Any) -> bool:
    """Whether layers with weights made ``node``, besides those that made ``earlier``."""
    waiting, seen = [node], {earlier, None}
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if _name(node).startswith(_OF_WEIGHTS):
            return True
        waiting += [parent for parent, _ in node.next_functions]
    return False


def _made_by(
    node: Any, name: str, tensor: Tensor, class_axis: int | None, axis: int | None
) -> str | None:
    if name == "Sigmoid":
        return SIGMOID
    if name == "Softmax":
        return SOFTMAX if _is_over_classes(node, tensor, class_axis, axis) else None
    if name == "LogSoftmax":
        return LOG_SOFTMAX if _is_over_classes(node, tensor, class_axis, axis) else SCORES
    return SCORES if name.startswith(_OF_SCORES) else None


def _is_over_classes(node: Any, tensor: Tensor, class_axis: int | None, axis: int | None) -> bool:
    """Whether a softmax is over the axis of the classes, as far as its graph says."""
    if class_axis is None:
        return False
    shape = node._saved_result.shape
    dim = node._saved_dim if node._saved_dim < 2**63 else node._saved_dim - 2**64
    if len(shape) == tensor.ndim and axis is not None:
        return dim % len(shape) == axis
    return shape[dim] == tensor.shape[class_axis]


def _is_source(one: Tensor, other: Tensor) -> bool:
    if not one.requires_grad or not other.requires_grad:
        return False
    total = other.sum()
    (gradient,) = torch.autograd.grad(total, one, retain_graph=True, allow_unused=True)
    return gradient is not None


def _name(node: Any) -> str:
    """The operation of a node of the graph: Softmax of SoftmaxBackward0."""
    return "" if node is None else node.name().partition("Backward")[0]
