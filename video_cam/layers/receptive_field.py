"""Follow the steps from a layer back to the input, without computing anything.

The network runs on the meta device, where tensors have shapes and no data; autograd still writes
down every convolution, pooling, padding and slice. The longest way back from a layer to the
input is the chain that places its cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from video_cam.layers.hooks import find_module, forward_hooks, frozen_evaluation, on_meta


@dataclass(frozen=True)
class Step:
    """One convolution, pooling, padding or slice along one axis, in input samples of that step.

    padding: in front; behind is the same unless ``behind`` says otherwise. A slice is a padding
    below zero.
    """

    kernel: int
    stride: int
    padding: int
    dilation: int = 1
    behind: int | None = None


@dataclass(frozen=True)
class AxisReceptiveField:
    """The steps along one axis, from the layer back to the input.

    measured: the centres of the cells as ``sensitivity`` found them, if it was asked.
    """

    steps: tuple[Step, ...]
    measured: tuple[float, ...] = ()

    def centres(self, cells: int) -> np.ndarray:
        """Centre of each cell's receptive field: p -> stride p + dilation (kernel-1)/2 - padding.

        Dumoulin and Visin 2016, relationship 15, applied from the layer back to the input.
        """
        positions = np.arange(cells, dtype=np.float64)
        for step in self.steps:
            middle = step.dilation * (step.kernel - 1) / 2
            positions = step.stride * positions + middle - step.padding
        return positions

    def length(self) -> int:
        """How many input samples a cell depends on, counted step by step back to the input."""
        length = 1
        for step in self.steps:
            length = step.stride * (length - 1) + step.dilation * (step.kernel - 1) + 1
        return length

    def cells(self, size: int) -> int:
        """How many cells an input of ``size`` gives, rounding down as convolutions do."""
        for step in reversed(self.steps):
            reach = step.dilation * (step.kernel - 1) + 1
            behind = step.padding if step.behind is None else step.behind
            size = (size + step.padding + behind - reach) // step.stride + 1
        return size


ReceptiveFields = tuple[
    "AxisReceptiveField | None", "AxisReceptiveField | None", "AxisReceptiveField | None"
]
UNKNOWN: ReceptiveFields = (None, None, None)


def trace_receptive_fields(
    model: nn.Module, x: Any, layers: Sequence[str]
) -> dict[str, ReceptiveFields]:
    """The receptive fields of each layer's cells along (T, H, W), by arithmetic.

    Args:
        x: the network's input (N, C, T, H, W) or (N, C, H, W); only its shape is used.

    Returns:
        Layer -> fields; None along an axis that cannot be followed. All are UNKNOWN for a network
        whose forward does not run on shapes alone.
    """
    if not isinstance(x, Tensor):
        return dict.fromkeys(layers, UNKNOWN)
    try:
        outputs = _run_on_meta(model, x, layers)
        # Checkpointed parts run again where their graph is read.
        return {
            layer: _fields(_longest_path(outputs[layer].grad_fn)) if layer in outputs else UNKNOWN
            for layer in layers
        }
    # Any exception of a user's forward that runs on shapes alone means the same: not known.
    except Exception:
        return dict.fromkeys(layers, UNKNOWN)


def _run_on_meta(model: nn.Module, x: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}

    def note(layer: str, _module: nn.Module, output: Any) -> None:
        if isinstance(output, Tensor):
            outputs[layer] = output

    modules = {layer: find_module(model, layer) for layer in layers}
    meta_x = torch.empty(x.shape, dtype=x.dtype, device="meta", requires_grad=True)
    with (
        forward_hooks(modules, note),
        frozen_evaluation(model),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        torch.func.functional_call(model, on_meta(model), (meta_x,), tie_weights=False)
    return outputs


def _longest_path(last: Any) -> list[Any]:
    """The way from ``last`` back to the input that passes the most steps, without recursion."""
    best: dict[Any, tuple[int, Any]] = {}
    for node in _inputs_first(last):
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        length, parent = max(
            ((best[parent][0], parent) for parent in parents),
            key=lambda pair: pair[0],
            default=(0, None),
        )
        best[node] = (length + _is_step(node), parent)
    path, node = [], last
    while node is not None:
        path.append(node)
        node = best[node][1]
    return path


def _inputs_first(last: Any) -> list[Any]:
    """Every node of the graph behind ``last``, each after all it depends on."""
    order: list[Any] = []
    seen: set[Any] = set()
    stack: list[tuple[Any, bool]] = [(last, False)] if last is not None else []
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(parent, False) for parent, _ in node.next_functions if parent is not None]
    return order


def _is_step(node: Any) -> bool:
    return any(word in node.name() for word in ("Convolution", "Pool", "Pad", "SliceBackward"))


def _fields(path: list[Any]) -> ReceptiveFields:
    """Receptive fields along (T, H, W) of a path; a 2D network leaves the time axis as it is."""
    steps: list[list[Step]] = [[], [], []]
    for node in path:
        if not _is_step(node):
            continue
        axes = _axis_steps(node)
        if axes is None:
            return UNKNOWN
        for axis, step in zip((2, 1, 0), reversed(axes), strict=False):
            steps[axis].append(step)
    t, y, x = (AxisReceptiveField(tuple(axis)) for axis in steps)
    return t, y, x


def _axis_steps(node: Any) -> list[Step] | None:
    """A node's steps along its own axes, or None where a node is neither conv nor simple pool."""
    name = node.name()
    if name.startswith("ConvolutionBackward"):
        if node._saved_transposed:
            return None
        kernel = list(node._saved_weight.shape[2:])
        fields = (node._saved_stride, node._saved_padding, node._saved_dilation)
    elif name.startswith(("MaxPool2D", "MaxPool3D", "AvgPool2D", "AvgPool3D")):
        kernel = list(node._saved_kernel_size)
        ones = [1] * len(kernel)
        stride = node._saved_stride or kernel
        fields = (stride, node._saved_padding, getattr(node, "_saved_dilation", ones))
    elif "Pad" in name:
        return _padding_steps(node)
    elif name.startswith("SliceBackward"):
        return _slice_steps(node)
    else:
        return None
    if len(kernel) < 2:
        return None
    return [Step(*values) for values in zip(kernel, *fields, strict=True)]


def _padding_steps(node: Any) -> list[Step] | None:
    """Zeros, mirrored or repeated samples around a (N, C, ...) tensor; None for other paddings."""
    pad = getattr(node, "_saved_pad", None) or getattr(node, "_saved_padding", None)
    if pad is None:
        return None
    pairs = [_signed(pad[i : i + 2]) for i in range(0, len(pad), 2)]  # the last axis comes first
    if any(pair != [0, 0] for pair in pairs[3:]):
        return None
    return [Step(1, 1, before, behind=after) for before, after in reversed(pairs[:3])]


def _slice_steps(node: Any) -> list[Step] | None:
    """x[..., start:end:step, ...] along one axis of a (N, C, T, H, W) tensor."""
    sizes = list(node._saved_self_sym_sizes)
    axis = node._saved_dim % len(sizes)
    start, end = _signed([node._saved_start or 0, node._saved_end])
    length = sizes[axis]
    start, end = (place + length if place < 0 else place for place in (start, min(end, length)))
    if axis < 2 or len(sizes) != 5:
        whole = start == 0 and end == length and node._saved_step == 1
        return [Step(1, 1, 0)] * 3 if whole or axis < 2 else None
    steps = [Step(1, 1, 0)] * 3
    steps[axis - 2] = Step(1, node._saved_step, -start, behind=end - length)
    return steps


def _signed(values: Sequence[int]) -> list[int]:
    """Autograd's record shows negative numbers as unsigned ones of 64 bits."""
    return [int(value) - 2**64 if value >= 2**63 else int(value) for value in values]
