"""CAM maps of one network: bound once to a network, its layers and methods, then called."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from video_cam.attribution.attention_record import AttentionRecord, attention_record
from video_cam.attribution.attribution_result import AttributionResult, MapKey
from video_cam.attribution.augmentation import augment, augmentations, undo
from video_cam.attribution.cam_methods import (
    METHODS,
    POOLING,
    at_least_float32,
    is_component,
    needs_of,
    principal_component,
    terms,
)
from video_cam.attribution.input_maps import InputMaps
from video_cam.attribution.input_methods import INPUT_METHODS, input_map_keys, input_needs
from video_cam.attribution.method_inputs import AFTER_THE_PASS, FROM_THE_GRAPH, TargetPass
from video_cam.attribution.pass_facts import PassFacts
from video_cam.attribution.refinement import FinerLayers, Refinements
from video_cam.attribution.replay import Recording, recording
from video_cam.attribution.targets import Target, target_scores
from video_cam.attribution_config import AttributionConfig
from video_cam.errors import UsageError
from video_cam.layers.alignment import CellCentres, cell_centres, gather_onto, is_a_guess
from video_cam.layers.axes import (
    Unpack,
    Unpacks,
    detached,
    for_layer,
    input_size,
    run_network,
    to_grid,
    unpacked,
)
from video_cam.layers.hooks import Captured, capture, retried_with_copies
from video_cam.layers.layout import Fold
from video_cam.layers.precision import computing_in
from video_cam.layers.receptive_field import ReceptiveFields
from video_cam.utils.devices import sent
from video_cam.utils.nested import map_tensors
from video_cam.utils.progress import Progress, silent

# The targets of one input, or a function that chooses them when it sees the network's outputs.
Targets = Sequence[Target] | Callable[[Any], Sequence[Target]]


class Attributor:
    """Computes class activation maps of one network.

        attributor = Attributor(model, ["layer4"], AttributionConfig(), fields=fields)
        result = attributor(x, targets=[None, 3])

    One forward pass serves all layers, methods and targets; there is one backward pass per target.
    What several methods need, such as the gradient, is computed once per call. The network is left
    exactly as it was, also after an error.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[str],
        config: AttributionConfig,
        *,
        unpack: Unpacks,
        fields: Mapping[str, ReceptiveFields],
        finer: FinerLayers | None = None,
        centres: Mapping[str, CellCentres] | None = None,
        blocks: Sequence[str] = (),
        progress: Progress = silent,
    ) -> None:
        """Bind a network.

        Args:
            layers: module names; none where all methods are without a layer.
            config: methods and how maps are computed.
            unpack: brings a layer's output to (N, K, T', H', W'); one for all, or by layer.
            fields: receptive fields of each layer, from ``find_receptive_fields``.
            finer: for ``config.detail``, each layer's finer ones, from ``finer_layers``;
                ``unpack`` and ``fields`` hold these, too.
            centres: of layers whose cells are elsewhere than ``fields`` say, such as those of a
                pathway that gets some of the frames.
            blocks: modules with the attention that attention methods follow; empty for all of it.
            progress: reports the number of channels scored by ablationcam and scorecam.
        """
        self.model = self._bound = model
        self.layers = tuple(layers)
        self.config = config
        self._unpack, self._fields, self._progress = unpack, dict(fields), progress
        self._known_centres, self._blocks = dict(centres or {}), tuple(blocks)
        self._needs = needs_of(config.layer_methods) | input_needs(config.input_methods)
        details = config.detail if self.layers else ()
        self._refinements = Refinements(details, config.pooling, finer or {}, unpack, self.centres)
        of_layers = product(self.layers, config.layer_methods, config.detail)
        # (layer, method, detail) of the maps of each target.
        self.map_keys = (*of_layers, *input_map_keys(config.input_methods))

    def of(self, model: nn.Module) -> Attributor:
        """This attributor for a network with the same layers and another output."""
        other = copy.copy(self)
        other.model = model
        return other

    def __call__(
        self, x: Any, targets: Targets, *, batch_size: int | None = None
    ) -> AttributionResult:
        """The maps of every target, layer, method and detail.

        Args:
            x: what the network's forward takes: a tensor, or a tuple, list or dict of them.
            targets: see ``targets.target_scores``; or a function from the outputs to the targets.
            batch_size: masked inputs or ablated activations in one pass; None for the config's.

        Raises:
            UsageError: for targets that the outputs do not have, and for layers without a map.
        """
        config = replace(self.config, batch_size=batch_size or self.config.batch_size)
        unchanged, *others = augmentations(config.aug_smooth, config.aug_shift)
        result = self._attribute(augment(x, unchanged), targets, config)
        if not others:
            return result
        sums, layer_sums = dict(result.maps), dict(result.layer_maps)
        for augmentation in others:
            again = self._attribute(augment(x, augmentation), result.targets, config)
            for key, values in again.maps.items():
                sums[key] = sums[key] + undo(values, augmentation, result.centres[key[1:]])
            for of_layer, values in again.layer_maps.items():
                centres = self.centres(of_layer[1], values.shape[1:], input_size(x))
                layer_sums[of_layer] = layer_sums[of_layer] + undo(values, augmentation, centres)
        count = 1 + len(others)
        return replace(
            result,
            maps={key: total / count for key, total in sums.items()},
            layer_maps={key: total / count for key, total in layer_sums.items()},
        )

    def centres(self, layer: str, grid: Sequence[int], size: Sequence[int]) -> CellCentres:
        """Positions of a layer's cells (T', H', W') in an input of (T, H, W)."""
        known = self._known_centres.get(layer)
        if known is not None and known.grid == tuple(grid):
            return known
        return cell_centres(grid, size, self._fields[layer], self.config.align)

    def guessed_layers(self, cells: Mapping[str, int], frames: int) -> list[str]:
        """Layers with cells in time whose centres are a guess (see ``alignment.is_a_guess``).

        Args:
            cells: layer -> T'.
            frames: T of the input.
        """
        return [
            layer
            for layer, count in cells.items()
            if not _may_be_tokens(for_layer(self._unpack, layer))
            and is_a_guess(count, frames, self._fields[layer][0], self.config.align)
        ]

    def _attribute(self, x: Any, targets: Targets, config: AttributionConfig) -> AttributionResult:
        """The scores and maps of one augmented input."""
        choose = targets if callable(targets) else lambda outputs: targets
        alone = not self.layers
        attention = attention_record(self._bound, x, config.methods, self._blocks, alone)
        with capture(self.model, self.layers, self._refinements.also) as captured:
            passes = retried_with_copies(
                partial(self._passes, x, captured, attention, choose, config)
            )
        notes = list(passes.notes)
        with computing_in(config.precision, self.model, x):
            for one in passes.targets:
                retried_with_copies(partial(one.compute, AFTER_THE_PASS, self._needs))
                notes += self._refinements.prepare(one, AFTER_THE_PASS)
            of_input = self._input_maps(passes.targets, config)
        layer_maps, maps, sampling, centres = {}, {}, {}, {}
        for index, one in enumerate(passes.targets):
            for layer in self.layers:
                of_methods = self._maps(one, layer)
                grid = next(iter(of_methods.values())).shape[1:]
                refined = self._refinements.of_layer(one, layer, grid)
                for method, values in of_methods.items():
                    layer_maps[index, layer, method] = values.float()
                    for detail, (own, refine) in refined.items():
                        centres[layer, method, detail] = own
                        maps[index, layer, method, detail] = refine(values).float()
            for key, found in of_input.items():
                centres[key] = found.centres
                maps[(index, *key)] = found.values[index].float()
                if found.sampling is not None:
                    sampling[(index, *key)] = found.sampling[index]
        notes += [note for found in of_input.values() for note in found.notes]
        for one in passes.targets:
            one.facts.forget_targets()
        return AttributionResult(
            detached(passes.outputs),
            tuple(one.fixed_target for one in passes.targets),
            tuple(one.scores.detach().float() for one in passes.targets),
            tuple(one.class_ids for one in passes.targets),
            maps,
            centres,
            layer_maps,
            sampling,
            tuple(dict.fromkeys(filter(None, notes))),
        )

    def _input_maps(
        self, targets: Sequence[TargetPass], config: AttributionConfig
    ) -> dict[MapKey, InputMaps]:
        """The maps of all targets by each method without a layer."""
        if not targets:
            return {}
        keys = input_map_keys(config.input_methods)
        return {key: INPUT_METHODS[key[1]].compute(targets) for key in keys}

    def _passes(
        self,
        x: Any,
        captured: Captured,
        attention: AttentionRecord,
        choose: Callable[[Any], Sequence[Target]],
        config: AttributionConfig,
    ) -> _ForwardPass:
        """One forward pass, and for each target what needs its graph."""
        forward = partial(self._forward, x, captured, attention, config)
        outputs, recorded = captured.complete(forward)
        passes: list[TargetPass] = []
        notes = []
        facts = PassFacts(passes)
        for target in choose(outputs):
            scores, class_ids = target_scores(outputs, target)
            one = TargetPass(
                model=self.model,
                x=x,
                captured=captured,
                recording=recorded,
                attention=attention,
                outputs=outputs,
                target=target,
                scores=scores,
                class_ids=class_ids,
                unpack=self._unpack,
                config=config,
                progress=self._progress,
                facts=facts,
            )
            one.compute(FROM_THE_GRAPH, self._needs)
            notes += self._refinements.prepare(one, FROM_THE_GRAPH)
            passes.append(one)
        return _ForwardPass(outputs, tuple(passes), tuple(notes))

    def _forward(
        self,
        x: Any,
        captured: Captured,
        attention: AttentionRecord,
        config: AttributionConfig,
    ) -> tuple[Any, Recording]:
        # Ablation replays this pass, so it is recorded here.
        recorded_layers = captured.layers if "ablation" in self._needs else ()
        # A copy: the pass may be repeated, and some networks change their input in place.
        x = map_tensors(torch.clone, detached(x))
        with ExitStack() as stack:
            stack.enter_context(computing_in(config.precision, self.model, x))
            needs_graph = bool(captured.layers) or attention.needs_gradient
            stack.enter_context(torch.set_grad_enabled(needs_graph))
            stack.enter_context(attention.recording(self.model))
            if "hessian_product" in self._needs:
                # The fused kernels of attention have no second derivative.
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            recorded = stack.enter_context(recording(self.model, x, recorded_layers))
            outputs = run_network(self.model, x)
        missing = [name for name in captured.layers if name not in captured.activations]
        if missing:
            raise UsageError(
                f"layer {missing[0]!r} did not run in the forward pass: choose another"
            )
        return outputs, recorded

    def _maps(self, one: TargetPass, layer: str) -> dict[str, Tensor]:
        """Method -> one target's signed map (N, T', H', W') on the layer's own grid."""
        A = at_least_float32(
            unpacked(self._unpack, one.captured.activations[layer].detach(), layer)
        )
        if len(A) != len(one.scores):
            raise UsageError(
                f"layer {layer!r} gives maps of {len(A)} samples {tuple(A.shape)} beside "
                f"{len(one.scores)} scores: choose another layer, or give unpack="
            )
        maps = {}
        for method in self.config.layer_methods:
            values = self._values(one, layer, method, A)
            if values.shape[1:] != A.shape[2:]:  # a map on the input's grid
                size = input_size(one.x)
                values = gather_onto(values, self.centres(layer, A.shape[2:], size), size)
            maps[method] = values
        return maps

    def _values(self, one: TargetPass, layer: str, method: str, A: Tensor) -> Tensor:
        """One signed map (N, T', H', W') of activations A (N, K, T', H', W')."""
        if is_component(method, self.config.eigen_smooth):
            features = one.facts.features(one, layer, method)
            return sent(principal_component(features).float(), A.device)
        needed = [at_least_float32(one.need(name)[layer]) for name in METHODS[method].needs]
        axes = POOLING[self.config.pooling]
        return terms(method, A, needed, axes).sum(1)


def _may_be_tokens(unpack: Unpack) -> bool:
    """Whether a layer's output may be patches, which do lie evenly."""
    if unpack is to_grid:
        return False
    return not isinstance(unpack, Fold) or unpack.axes == "tokens"


@dataclass(frozen=True)
class _ForwardPass:
    """The outputs of one forward pass, its targets, and why each cannot be refined, or None."""

    outputs: Any
    targets: tuple[TargetPass, ...]
    notes: tuple[str | None, ...]
