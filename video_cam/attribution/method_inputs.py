"""What the methods' formulas take besides activations: gradients, and weights by re-scoring.

Each is computed at most once per target, and only where a method needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.full_gradient import full_gradient
from video_cam.attribution.methods import at_least_float32
from video_cam.attribution.replay import Recording
from video_cam.attribution.rescoring import ablation_weights, score_weights
from video_cam.attribution.targets import Target, finer_scores, target_scores
from video_cam.config import AttributionConfig
from video_cam.errors import UsageError
from video_cam.layers.axes import Unpacks, detached, run, unpacked
from video_cam.layers.hooks import Captured, capture, frozen_evaluation
from video_cam.layers.outputs import class_scores
from video_cam.utils.nested import map_tensors
from video_cam.utils.progress import Progress

NOISY_INPUTS = 8
NOISE = 0.15  # of the input's range


ByLayer = dict[str, Tensor]
Compute = Callable[["TargetPass"], ByLayer]


@dataclass
class TargetPass:
    """One target of one input, with the graph of its forward pass.

    Attributes:
        captured: the layers' outputs. recording: what ablation runs again from.
        outputs: of the network. scores: (N,). class_ids: (N,), or None for a function.
        unpack: brings a layer's output to (N, K, T', H', W').
    """

    model: nn.Module
    x: Any
    captured: Captured
    recording: Recording
    outputs: Any
    target: Target
    scores: Tensor
    class_ids: Tensor | None
    unpack: Unpacks
    config: AttributionConfig
    progress: Progress
    _computed: dict[str, ByLayer] = field(default_factory=dict)

    @property
    def fixed_target(self) -> Target:
        """The target as this input decided it, for other inputs."""
        return self.target if self.class_ids is None else self.class_ids.tolist()

    def score(self, outputs: Any, sample: int) -> Tensor:
        """(B,) scores of B altered versions of one sample."""
        if self.class_ids is None:
            return target_scores(outputs, self.target)[0]
        return class_scores(outputs)[:, self.class_ids[sample]]

    def compute(self, table: Mapping[str, Compute], needs: Collection[str]) -> None:
        """Compute what is in the table and needed, each once."""
        for name in table:
            if name in needs:
                self._computed[name] = table[name](self)

    def need(self, name: str) -> ByLayer:
        """What was computed under this name."""
        return self._computed[name]


def gradient(one: TargetPass) -> ByLayer:
    """G: d score / d A, in the layout (N, K, T', H', W')."""
    return _unpack_all(one, one.captured.gradients(one.scores.sum(), retain_graph=True))


def finer_gradient(one: TargetPass) -> ByLayer:
    """The gradient of Finer-CAM's score."""
    score = finer_scores(one.outputs, one.class_ids).sum()
    return _unpack_all(one, one.captured.gradients(score, retain_graph=True))


def hessian_product(one: TargetPass) -> ByLayer:
    """H A: the score's Hessian times the activations; zero where the score is linear in them."""
    layers = one.captured.layers
    found = {}
    for layer in layers:
        A = one.captured.activations[layer]
        (G,) = torch.autograd.grad(one.scores.sum(), A, create_graph=True)
        product = None
        if G.requires_grad:
            (product,) = torch.autograd.grad(
                G, A, grad_outputs=A.detach(), retain_graph=True, allow_unused=True
            )
        found[layer] = torch.zeros_like(A) if product is None else product
    return _unpack_all(one, found)


def smooth_gradients(one: TargetPass) -> ByLayer:
    """Means of G, G^2 and G^3 over noisy inputs, (3, N, K, T', H', W')."""
    generator = torch.Generator().manual_seed(0)
    sums: dict[str, Tensor] = {}
    for _ in range(NOISY_INPUTS):
        with capture(one.model, one.captured.layers) as captured:
            outputs = run(one.model, _noisy(one.x, generator))
            scores, _ = target_scores(outputs, one.fixed_target)
            for layer, raw in captured.gradients(scores.sum()).items():
                G = at_least_float32(unpacked(one.unpack, raw, layer))
                powers = torch.stack([G, G**2, G**3]) / NOISY_INPUTS
                sums[layer] = sums[layer] + powers if layer in sums else powers
    return sums


def head(one: TargetPass) -> ByLayer:
    """The class's weights (N, K) of the linear layer behind an average over the whole grid.

    Raises UsageError where that is not how the network makes its scores.
    """
    return {layer: _head_weights(one, layer) for layer in one.captured.layers}


def ablation(one: TargetPass) -> ByLayer:
    """Ablation-CAM's weights (N, K)."""
    samples = len(one.scores)
    with frozen_evaluation(one.model):
        return {
            layer: ablation_weights(
                one.recording.replay(layer, one.outputs, samples),
                one.score,
                unpack=one.unpack,
                batch_size=one.config.batch_size,
                progress=one.progress,
            )
            for layer in one.captured.layers
        }


def masking(one: TargetPass) -> ByLayer:
    """Score-CAM's weights (N, K)."""
    return {
        layer: score_weights(
            one.model,
            detached(one.x),
            _channels(one, layer),
            one.score,
            batch_size=one.config.batch_size,
            max_channels=one.config.max_channels,
            progress=one.progress,
        )
        for layer in one.captured.layers
    }


def whole_network(one: TargetPass) -> ByLayer:
    """FullGrad's map on the input's own grid (N, 1, T, H, W), the same for every layer."""
    found = full_gradient(one.model, one.x, one.fixed_target)
    return dict.fromkeys(one.captured.layers, found)


# The first table reads the graph of the forward pass; the second runs the network again after it,
# outside the capture. ``methods.METHODS`` names what a method needs.
FROM_THE_GRAPH: dict[str, Compute] = {
    "gradient": gradient,
    "finer_gradient": finer_gradient,
    "hessian_product": hessian_product,
}
AFTER_THE_PASS: dict[str, Compute] = {
    "smooth_gradients": smooth_gradients,
    "head": head,
    "ablation": ablation,
    "masking": masking,
    "full_gradient": whole_network,
}


def _unpack_all(one: TargetPass, raw: ByLayer) -> ByLayer:
    return {layer: unpacked(one.unpack, tensor, layer) for layer, tensor in raw.items()}


def _channels(one: TargetPass, layer: str) -> Tensor:
    """A layer's output as one (K, T', H', W') for each score."""
    grid = unpacked(one.unpack, one.captured.activations[layer].detach(), layer)
    if len(grid) != len(one.scores):
        raise UsageError(
            f"unpack made {tuple(grid.shape)} of layer {layer!r} for {len(one.scores)} scores, "
            f"expected ({len(one.scores)}, K, T, H, W): give an unpack= that does"
        )
    return grid


def _noisy(x: Any, generator: torch.Generator) -> Any:
    def noisy(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return detached(x)
        # Sample by sample, so that a map does not depend on the others in its batch.
        flat = x.flatten(1)
        spread = NOISE * (flat.amax(1) - flat.amin(1)).reshape(-1, *[1] * (x.ndim - 1))
        noise = torch.randn(x.shape[1:], generator=generator, dtype=x.dtype)
        return detached(x) + spread * noise.to(x.device)

    return map_tensors(noisy, x)


def _head_weights(one: TargetPass, layer: str) -> Tensor:
    A = unpacked(one.unpack, one.captured.activations[layer].detach(), layer)
    linear = [m for m in one.model.modules() if isinstance(m, nn.Linear | nn.Conv3d | nn.Conv2d)]
    last = linear[-1] if linear else None
    if last is not None and one.class_ids is not None:
        weight = last.weight.detach().flatten(1)  # (classes, K), a 1x1x1 convolution's too
        outputs = class_scores(one.outputs).detach()
        if weight.shape == (outputs.shape[1], A.shape[1]):
            bias = 0 if last.bias is None else last.bias.detach()
            linear_part = A.mean((2, 3, 4)).to(weight.dtype) @ weight.T
            # bfloat16 keeps three digits of a number.
            tolerance = 1e-3 if outputs.dtype != torch.bfloat16 else 3e-2
            error = (linear_part + bias - outputs.to(linear_part.dtype)).abs().max()
            if error <= tolerance * linear_part.abs().max():
                return weight[one.class_ids]
    raise UsageError(
        f"cam needs scores that are a linear function of layer {layer!r}'s average: "
        "choose the layer in front of that average, or the method hirescam"
    )
