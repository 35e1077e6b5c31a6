"""The inputs of the methods' formulas besides the activations: gradients, and weights by scores.

Each is computed at most once per target, and only if a method needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from video_cam.attribution.attention_record import (
    ATTENTION,
    AttentionRecord,
    gradient_relevance,
    rollout,
)
from video_cam.attribution.cam_methods import at_least_float32
from video_cam.attribution.full_gradient import full_gradient
from video_cam.attribution.legrad import legrad
from video_cam.attribution.pass_facts import (
    Linear,
    PassFacts,
    last_linear,
    linear_part,
    linear_tolerance,
)
from video_cam.attribution.path_gradients import input_attribution
from video_cam.attribution.replay import Recording
from video_cam.attribution.rescoring import ablation_weights, score_weights
from video_cam.attribution.targets import Target, finer_scores, fixed_target, target_scores
from video_cam.attribution_config import AttributionConfig
from video_cam.errors import UsageError
from video_cam.layers.axes import Unpacks, detached, input_size, run_network, unpacked
from video_cam.layers.hooks import Captured, capture, frozen_evaluation
from video_cam.layers.outputs import class_scores
from video_cam.utils.devices import sent
from video_cam.utils.nested import map_tensors
from video_cam.utils.progress import Progress

# Of smoothgradcam++.
NOISY_INPUTS = 8
NOISE = 0.15  # standard deviation, as a fraction of the input's range

ByLayer = dict[str, Tensor]
Compute = Callable[["TargetPass"], ByLayer]


@dataclass
class TargetPass:
    """One target of one input, with the graph of its forward pass.

    Attributes:
        model, x: the network and its input.
        captured: the layers' outputs.
        recording: of the forward pass, for ablation.
        attention: of the forward pass, for attention methods.
        outputs: the network's outputs.
        target: as in ``targets.target_scores``.
        scores: (N,), part of the graph.
        class_ids: int64 (N,), or None for a function.
        unpack: brings a layer's output to (N, K, T', H', W').
        config: how maps are computed.
        progress: reports the number of scored channels.
        facts: what is known of the forward pass on the CPU, the same for all its targets.
    """

    model: nn.Module
    x: Any
    captured: Captured
    recording: Recording
    attention: AttentionRecord
    outputs: Any
    target: Target
    scores: Tensor
    class_ids: Tensor | None
    unpack: Unpacks
    config: AttributionConfig
    progress: Progress
    facts: PassFacts
    _computed: dict[str, ByLayer] = field(default_factory=dict)

    @cached_property
    def fixed_target(self) -> Target:
        """The target for other inputs: the class ids of this one, or the function."""
        return fixed_target(self.target, self.class_ids)

    def score(self, outputs: Any, sample: int) -> Tensor:
        """Scores (B,) of B variants of one sample, from the network's outputs for them."""
        if self.class_ids is None:
            return target_scores(outputs, self.target)[0]
        class_id = self.class_ids[sample : sample + 1]  # a number would have to be waited for
        return class_scores(outputs).index_select(1, class_id)[:, 0]

    def compute(self, table: Mapping[str, Compute], needs: Collection[str]) -> None:
        """Compute the entries of the table that are needed and not computed yet."""
        for name in table:
            if name in needs and name not in self._computed:
                self._computed[name] = table[name](self)

    def need(self, name: str) -> ByLayer:
        """The computed tensors of this name, by layer; none where they were not computed."""
        return self._computed.get(name, {})


def gradient(one: TargetPass) -> ByLayer:
    """G = d score / d A, (N, K, T', H', W'), also of the layers captured besides."""
    return _unpack_all(one, one.captured.gradients(one.scores.sum(), retain_graph=True))


def finer_gradient(one: TargetPass) -> ByLayer:
    """The gradient of Finer-CAM's score, (N, K, T', H', W')."""
    score = finer_scores(one.outputs, one.class_ids).sum()
    return _unpack_all(one, one.captured.gradients(score, retain_graph=True))


def hessian_product(one: TargetPass) -> ByLayer:
    """H A, the score's Hessian times the activations, (N, K, T', H', W').

    Zero where the score is linear in the activations.
    """
    found = {}
    for layer in one.captured.layers:
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
            x = _noisy(one.x, generator)
            outputs = captured.complete(partial(_run_on_copy, one.model, x))
            scores, _ = target_scores(outputs, one.fixed_target)
            for layer, raw in captured.gradients(scores.sum()).items():
                G = at_least_float32(unpacked(one.unpack, raw, layer))
                powers = torch.stack([G, G**2, G**3]) / NOISY_INPUTS
                sums[layer] = sums[layer] + powers if layer in sums else powers
    return sums


def _run_on_copy(model: nn.Module, x: Any) -> Any:
    """The outputs for a copy of ``x``, because some networks change their input in place."""
    return run_network(model, map_tensors(torch.clone, x))


def head(one: TargetPass) -> ByLayer:
    """The class's weights (N, K) in the linear layer that follows an average over the grid.

    Raises:
        UsageError: where the scores are computed in another way.
    """
    return {layer: _head_weights(one, layer) for layer in one.captured.layers}


def ablation(one: TargetPass) -> ByLayer:
    """The weights (N, K) of Ablation-CAM."""
    samples = len(one.scores)
    with frozen_evaluation(one.model):
        return {
            layer: ablation_weights(
                one.recording.replay(layer, one.outputs, samples),
                one.score,
                unpack=one.unpack,
                batch_size=one.config.batch_size,
                progress=one.progress,
                filled=one.facts.of_layer("ablation", layer),
            )
            for layer in one.captured.layers
        }


def masking(one: TargetPass) -> ByLayer:
    """The weights (N, K) of Score-CAM."""
    return {
        layer: score_weights(
            one.model,
            detached(one.x),
            one.facts.of_layer("masking", layer),
            one.score,
            batch_size=one.config.batch_size,
            max_channels=one.config.max_channels,
            progress=one.progress,
        )
        for layer in one.captured.layers
    }


def attention_rollout(one: TargetPass) -> ByLayer:
    """The map of attention rollout, (N, T', H', W')."""
    return {ATTENTION: rollout(one.attention, len(one.scores))}


def attention_gradient(one: TargetPass) -> ByLayer:
    """The map of gradient-weighted attention, (N, T', H', W')."""
    return {ATTENTION: gradient_relevance(one.attention, one.scores)}


def block_gradients(one: TargetPass) -> ByLayer:
    """The map of LeGrad, (N, T', H', W')."""

    def score(outputs: Any) -> Tensor:
        return target_scores(outputs, one.fixed_target)[0]

    reads_last = one.facts.head_reads_last_block
    return {ATTENTION: legrad(one.attention, one.model, one.x, score, reads_last)}


def whole_network(one: TargetPass) -> ByLayer:
    """The map of FullGrad on the input's grid, (N, 1, T, H, W), the same for every layer."""
    found = full_gradient(one.model, one.x, one.fixed_target)
    return dict.fromkeys(one.captured.layers, found)


def at_the_input(one: TargetPass) -> ByLayer:
    """The attribution at the input that makes maps finer, (N, T, H', W'), for every layer."""
    found = input_attribution(one.model, one.x, one.fixed_target, input_size(one.x))
    return dict.fromkeys(one.captured.layers, found)


# By the names in ``cam_methods.Method.needs`` and ``refinement.NEEDS``. The first table uses the
# graph of the forward pass; the second runs the network again after it, outside the capture.
FROM_THE_GRAPH: dict[str, Compute] = {
    "gradient": gradient,
    "finer_gradient": finer_gradient,
    "hessian_product": hessian_product,
    "attention-rollout": attention_rollout,
    "attention-gradient": attention_gradient,
}
AFTER_THE_PASS: dict[str, Compute] = {
    "smooth_gradients": smooth_gradients,
    "head": head,
    "ablation": ablation,
    "masking": masking,
    "full_gradient": whole_network,
    "input_attribution": at_the_input,
    "legrad": block_gradients,
}


def _unpack_all(one: TargetPass, raw: ByLayer) -> ByLayer:
    return {layer: unpacked(one.unpack, tensor, layer) for layer, tensor in raw.items()}


def _noisy(x: Any, generator: torch.Generator) -> Any:
    """The input with Gaussian noise in its floating-point tensors."""

    def noisy(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return detached(x)
        # The same noise for every sample, so that a map does not depend on the rest of its batch.
        flat = x.flatten(1)
        spread = NOISE * (flat.amax(1) - flat.amin(1)).reshape(-1, *[1] * (x.ndim - 1))
        noise = torch.randn(x.shape[1:], generator=generator, dtype=x.dtype)
        return detached(x) + spread * sent(noise, x.device)

    return map_tensors(noisy, x)


def _head_weights(one: TargetPass, layer: str) -> Tensor:
    linear = last_linear(one.model)
    if (
        linear is not None
        and one.class_ids is not None
        and (one.facts.of_layer("head", layer) or _is_linear_plus_constant(one, layer, linear))
    ):
        return linear.weight.detach().flatten(1)[one.class_ids]
    raise UsageError(
        f"cam needs scores that are a linear function of layer {layer!r}'s average: "
        "choose the layer in front of that average, or the method hirescam"
    )


def _is_linear_plus_constant(one: TargetPass, layer: str, linear: Linear) -> bool:
    """Whether what is not linear in the average is the same for inputs with different noise."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for _ in range(2):
        with capture(one.model, [layer]) as captured:
            outputs = class_scores(run_network(one.model, _noisy(one.x, generator))).detach()
            A = unpacked(one.unpack, captured.activations[layer].detach(), layer)
        part = linear_part(outputs, A, linear)
        if part is None:
            return False
        parts.append((part, outputs.to(part.dtype) - part))
    (linear_part_, rest), (other_part, other_rest) = parts
    moved = (linear_part_ - other_part).abs().max()
    allowed = linear_tolerance(outputs.dtype) * moved
    return bool(moved > 0 and (rest - other_rest).abs().max() <= allowed)
