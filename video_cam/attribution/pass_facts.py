"""What has to be known on the CPU of a forward pass before its maps can be finished.

Which channels run again, and where eigenvectors lie, is found on the CPU: an accelerator would be
waited for at every such question. Everything that the methods ask for comes over in one copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from video_cam.attribution.cam_methods import (
    METHODS,
    POOLING,
    at_least_float32,
    is_component,
    needs_of,
    terms,
)
from video_cam.attribution.legrad import reads_last_block
from video_cam.attribution.rescoring import filled_channels
from video_cam.errors import UsageError
from video_cam.layers.axes import unpacked
from video_cam.layers.outputs import class_scores
from video_cam.utils.devices import on_cpu

if TYPE_CHECKING:
    from video_cam.attribution.method_inputs import TargetPass

Linear = nn.Linear | nn.Conv3d | nn.Conv2d

# (need or method, layer or empty, index of the target; 0 for what is the same for all targets)
Key = tuple[str, str, int]
_LEGRAD: Key = ("legrad", "", 0)


class PassFacts:
    """Tensors of one forward pass and its targets on the CPU, copied together at the first use."""

    def __init__(self, targets: Sequence[TargetPass]) -> None:
        """Bind the list of targets, to which later ones are added before the first use."""
        self._targets = targets
        self._known: dict[Key, Tensor] = {}

    def forget_targets(self) -> None:
        """Let go of the targets, which refer to this object: else their graph outlives the call."""
        self._targets = ()

    def of_layer(self, need: str, layer: str) -> Tensor:
        """What a row of ASKED knows of a layer."""
        return self._all()[need, layer, 0]

    @property
    def head_reads_last_block(self) -> bool:
        """What ``legrad.reads_last_block`` says."""
        return bool(self._all()[_LEGRAD])

    def features(self, one: TargetPass, layer: str, method: str) -> Tensor:
        """The features (N, K, T', H', W') whose principal component is a method's map."""
        if one.captured.activations[layer].device.type == "cpu":
            # Nothing to wait for, and one at a time takes less memory.
            return _terms(one, layer, method)
        key = (method, layer, _index(self._targets, one, method))
        if key not in self._all():
            # With eigen_smooth, and weights that are scores of passes after the first use.
            self._copy(_features(self._targets))
        return self._known[key]

    def _all(self) -> dict[Key, Tensor]:
        if not self._known:
            first = self._targets[0]
            self._copy({**_of_layers(first), **_of_blocks(first), **_features(self._targets)})
        return self._known

    def _copy(self, found: dict[Key, Tensor]) -> None:
        missing = {key: tensor for key, tensor in found.items() if key not in self._known}
        self._known.update(zip(missing, on_cpu([*missing.values()]), strict=True))


def channels(one: TargetPass, layer: str) -> Tensor:
    """A layer's output (N, K, T', H', W'), with one sample for each score."""
    grid = unpacked(one.unpack, one.captured.activations[layer].detach(), layer)
    if len(grid) != len(one.scores):
        raise UsageError(
            f"unpack made {tuple(grid.shape)} of layer {layer!r} for {len(one.scores)} scores, "
            f"expected ({len(one.scores)}, K, T, H, W): give an unpack= that does"
        )
    return grid


def last_linear(model: nn.Module) -> Linear | None:
    """The network's last linear layer or convolution."""
    found = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv3d | nn.Conv2d)]
    return found[-1] if found else None


def _filled_channels(one: TargetPass, layer: str) -> Tensor:
    """Which channels ablation changes, bool (N, K)."""
    return filled_channels(one.recording.replay(layer, one.outputs, len(one.scores)), one.unpack)


def linear_part(outputs: Tensor, A: Tensor, linear: Linear) -> Tensor | None:
    """The weights times the average of A, (N, classes); None where they do not fit together.

    Args:
        outputs: class scores (N, classes).
        A: a layer's output (N, K, T', H', W').
        linear: the last layer of the network.
    """
    weight = linear.weight.detach().flatten(1)  # (classes, K), a 1x1x1 convolution's too
    if weight.shape != (outputs.shape[1], A.shape[1]):
        return None
    return A.mean((2, 3, 4)).to(weight.dtype) @ weight.T


def linear_tolerance(dtype: torch.dtype) -> float:
    """How far scores may be from a linear part, of its size: bfloat16 has about three digits."""
    return 3e-2 if dtype == torch.bfloat16 else 1e-3


def _is_linear_in_average(one: TargetPass, layer: str) -> Tensor:
    """Whether the class scores are a linear function of the layer's average, bool ()."""
    last = last_linear(one.model)
    if last is None or one.class_ids is None:
        return torch.tensor(False)
    outputs = class_scores(one.outputs).detach()
    A = unpacked(one.unpack, one.captured.activations[layer].detach(), layer)
    part = linear_part(outputs, A, last)
    if part is None:
        return torch.tensor(False)
    bias = 0 if last.bias is None else last.bias.detach()
    error = (part + bias - outputs.to(part.dtype)).abs().max()
    return error <= linear_tolerance(outputs.dtype) * part.abs().max()


# By need: what is asked of each layer.
ASKED: dict[str, Callable[[TargetPass, str], Tensor]] = {
    "head": _is_linear_in_average,
    "ablation": _filled_channels,
    "masking": channels,
}


def _of_layers(one: TargetPass) -> dict[Key, Tensor]:
    needs = needs_of(one.config.layer_methods)
    return {
        (need, layer, 0): ask(one, layer)
        for need, ask in ASKED.items()
        if need in needs
        for layer in one.captured.layers
    }


def _of_blocks(one: TargetPass) -> dict[Key, Tensor]:
    if "legrad" not in one.config.methods:
        return {}
    return {_LEGRAD: reads_last_block(one.attention, one.model, one.x, one.outputs)}


def _features(targets: Sequence[TargetPass]) -> dict[Key, Tensor]:
    """Of all methods that decompose features, those of each target where they differ.

    Without those that need what has not been computed yet.
    """
    found: dict[Key, Tensor] = {}
    for one in targets:
        for method in one.config.layer_methods:
            index, needs = _index(targets, one, method), METHODS[method].needs
            if is_component(method, one.config.eigen_smooth) and all(map(one.need, needs)):
                keys = [(method, layer, index) for layer in one.captured.layers]
                found |= {key: _terms(one, key[1], method) for key in keys if key not in found}
    return found


def _terms(one: TargetPass, layer: str, method: str) -> Tensor:
    raw = unpacked(one.unpack, one.captured.activations[layer].detach(), layer)
    needed = [at_least_float32(one.need(name)[layer]) for name in METHODS[method].needs]
    return terms(method, at_least_float32(raw), needed, POOLING[one.config.pooling])


def _index(targets: Sequence[TargetPass], one: TargetPass, method: str) -> int:
    if not METHODS[method].needs:
        return 0
    return next(index for index, other in enumerate(targets) if other is one)
