"""What has to be known on the CPU of a forward pass before its maps can be finished.

Which channels run again, and where eigenvectors lie, is found on the CPU: an accelerator would be
waited for at every such question. Everything that the methods ask for comes over in one copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from video_cam.attribution.cam_methods import METHODS, POOLING, at_least_float32, needs_of
from video_cam.attribution.rescoring import filled_channels
from video_cam.errors import UsageError
from video_cam.layers.axes import unpacked
from video_cam.layers.outputs import class_scores
from video_cam.utils.devices import on_cpu

if TYPE_CHECKING:
    from video_cam.attribution.method_inputs import TargetPass

Linear = nn.Linear | nn.Conv3d | nn.Conv2d

# (need or method, layer, index of the target; 0 for what is the same for all targets)
Key = tuple[str, str, int]


class PassFacts:
    """Tensors of one forward pass and its targets on the CPU, copied together at the first use."""

    def __init__(self, targets: Sequence[TargetPass]) -> None:
        """Bind the list of targets, to which later ones are added before the first use."""
        self._targets = targets
        self._known: dict[Key, Tensor] | None = None

    def forget_targets(self) -> None:
        """Let go of the targets, which refer to this object: else their graph outlives the call."""
        self._targets = ()

    def of_layer(self, need: str, layer: str) -> Tensor:
        """What a row of ASKED knows of a layer."""
        return self._all()[need, layer, 0]

    def features(self, one: TargetPass, layer: str, method: str) -> Tensor:
        """The features (N, K, T', H', W') whose principal component is a method's map."""
        return self._all()[method, layer, _index(self._targets, one, method)]

    def _all(self) -> dict[Key, Tensor]:
        if self._known is None:
            found = {**_of_layers(self._targets[0]), **_features(self._targets)}
            self._known = dict(zip(found, on_cpu([*found.values()]), strict=True))
        return self._known


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


def _features(targets: Sequence[TargetPass]) -> dict[Key, Tensor]:
    """Of all methods that decompose features, those of each target where they differ."""
    found: dict[Key, Tensor] = {}
    for one in targets:
        axes = POOLING[one.config.pooling]
        for method in one.config.layer_methods:
            row, index = METHODS[method], _index(targets, one, method)
            for layer in one.captured.layers if row.gives == "features" else ():
                if (method, layer, index) in found:
                    continue
                raw = unpacked(one.unpack, one.captured.activations[layer].detach(), layer)
                needed = [at_least_float32(one.need(name)[layer]) for name in row.needs]
                found[method, layer, index] = row.formula(at_least_float32(raw), *needed, axes)
    return found


def _index(targets: Sequence[TargetPass], one: TargetPass, method: str) -> int:
    if not METHODS[method].needs:
        return 0
    return next(index for index, other in enumerate(targets) if other is one)
