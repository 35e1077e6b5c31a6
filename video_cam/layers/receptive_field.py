"""Receptive fields by arithmetic, from the operations between the input and a layer.

The network runs on the meta device, where tensors have shapes but no data; autograd still records
every convolution, pooling, padding and slice. A layer's receptive field follows from the longest
path of such operations from the layer back to the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from video_cam.layers.hooks import find_module, forward_hooks, frozen_evaluation
from video_cam.layers.meta_device import call_on_meta


@dataclass(frozen=True)
class AxisStep:
    """One convolution, pooling, padding or slice along one axis.

    Attributes:
        kernel, stride, dilation: in samples of the operation's input.
        padding: samples added before the first one; negative for a slice.
        padding_after: samples added after the last one; None for the same as ``padding``.
    """

    kernel: int
    stride: int
    padding: int
    dilation: int = 1
    padding_after: int | None = None


@dataclass(frozen=True)
class AxisReceptiveField:
    """The receptive fields of a layer's cells along one axis.

    Attributes:
        steps: from the layer back to the input.
        measured: centres of the cells from ``measured_alignment``; empty where not measured.
    """

    steps: tuple[AxisStep, ...]
    measured: tuple[float, ...] = ()

    def centres(self, cells: int) -> np.ndarray:
        """Centres of the cells' receptive fields in input samples, float64 (cells,).

        A step brings position p to stride p + dilation (kernel - 1) / 2 - padding of its input
        (Dumoulin and Visin 2016, relationship 15).
        """
        positions = np.arange(cells, dtype=np.float64)
        for step in self.steps:
            middle = step.dilation * (step.kernel - 1) / 2
            positions = step.stride * positions + middle - step.padding
        return positions

    def length(self) -> int:
        """The number of input samples between the first and the last that a cell depends on."""
        length = 1
        for step in self.steps:
            length = step.stride * (length - 1) + step.dilation * (step.kernel - 1) + 1
        return length

    def cells(self, size: int) -> int:
        """The number of cells for an input of ``size`` samples, rounded down as convolutions do."""
        for step in reversed(self.steps):
            extent = step.dilation * (step.kernel - 1) + 1
            after = step.padding if step.padding_after is None else step.padding_after
            size = (size + step.padding + after - extent) // step.stride + 1
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
        layers: module names.

    Returns:
        Layer -> fields; UNKNOWN where an operation on the path has no such arithmetic (transposed
        convolutions, for instance), and for all layers of a network that does not run on shapes.
    """
    if not isinstance(x, Tensor):
        return dict.fromkeys(layers, UNKNOWN)
    try:
        found = _fields_on_meta(model, x, layers)
        return {layer: found.get(layer, UNKNOWN) for layer in layers}
    # Any exception of a user's forward on shapes alone means the same: the fields are unknown.
    except Exception:
        return dict.fromkeys(layers, UNKNOWN)


def _fields_on_meta(
    model: nn.Module, x: Tensor, layers: Sequence[str]
) -> dict[str, ReceptiveFields]:
    outputs: dict[str, Tensor] = {}

    def note(layer: str, _module: nn.Module, output: Any) -> None:
        if isinstance(output, Tensor):
            outputs.setdefault(layer, output)

    def fields_of(network: nn.Module, x: Tensor) -> dict[str, ReceptiveFields]:
        network(x)
        # Here, because reading the graph of checkpointed parts runs them again on these shapes.
        return {layer: _fields(_longest_path(output.grad_fn)) for layer, output in outputs.items()}

    modules = {layer: find_module(model, layer) for layer in layers}
    meta_x = torch.empty(x.shape, dtype=x.dtype, device="meta", requires_grad=True)
    with (
        forward_hooks(modules, note),
        frozen_evaluation(model),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        return call_on_meta(model, fields_of, meta_x)


def _longest_path(last: Any) -> list[Any]:
    """The path from ``last`` back to the input with the most steps; not recursive."""
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
    """Every node that ``last`` depends on, each after its own inputs."""
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
    """Receptive fields along (T, H, W) of a path; a 2D network has no steps in time."""
    steps: list[list[AxisStep]] = [[], [], []]
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


def _axis_steps(node: Any) -> list[AxisStep] | None:
    """A node's steps along its own axes, or None where its operation has no such arithmetic."""
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
    return [AxisStep(*values) for values in zip(kernel, *fields, strict=True)]


def _padding_steps(node: Any) -> list[AxisStep] | None:
    """Padding of a (N, C, ...) tensor with any kind of samples; None where N or C is padded."""
    pad = getattr(node, "_saved_pad", None) or getattr(node, "_saved_padding", None)
    if pad is None:
        return None
    pairs = [_signed(pad[i : i + 2]) for i in range(0, len(pad), 2)]  # the last axis comes first
    if any(pair != [0, 0] for pair in pairs[3:]):
        return None
    return [AxisStep(1, 1, before, padding_after=after) for before, after in reversed(pairs[:3])]


def _slice_steps(node: Any) -> list[AxisStep] | None:
    """x[..., start:end:step, ...] along one axis of a (N, C, T, H, W) tensor."""
    sizes = list(node._saved_self_sym_sizes)
    axis = node._saved_dim % len(sizes)
    start, end = _signed([node._saved_start or 0, node._saved_end])
    length = sizes[axis]
    start, end = (index + length if index < 0 else index for index in (start, min(end, length)))
    if axis < 2 or len(sizes) != 5:
        whole = start == 0 and end == length and node._saved_step == 1
        return [AxisStep(1, 1, 0)] * 3 if whole or axis < 2 else None
    steps = [AxisStep(1, 1, 0)] * 3
    steps[axis - 2] = AxisStep(1, node._saved_step, -start, padding_after=end - length)
    return steps


def _signed(values: Sequence[int]) -> list[int]:
    """Numbers from autograd's graph, which shows negative ones as unsigned 64-bit numbers."""
    return [int(value) - 2**64 if value >= 2**63 else int(value) for value in values]
