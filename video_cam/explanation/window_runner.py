"""Run the network on windows of a clip: read their frames, run batches, make window results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_cam.attribution.attribution_result import AttributionResult, MapKey, TargetMapKey
from video_cam.attribution.attributor import Attributor
from video_cam.attribution.targets import Target
from video_cam.config import ExplainConfig
from video_cam.errors import ClipError, UsageError, VideoCamError, first_line
from video_cam.explanation.clip_plan import ClipPlan
from video_cam.explanation.contributions import sample_contributions
from video_cam.explanation.map_series import ClassTarget, FunctionTarget, MapTarget
from video_cam.explanation.network_plan import plan_network
from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.explanation.sampling import FrameSpan, Window
from video_cam.explanation.scenes import cuts_within
from video_cam.explanation.target_selection import best_classes, candidates, num_candidates
from video_cam.explanation.window_inputs import WindowInputs
from video_cam.explanation.window_reader import batches
from video_cam.explanation.window_result import WindowResult
from video_cam.explanation.window_source import FileSource, PreparedClip, WindowSource
from video_cam.layers.outputs import class_scores, class_shares, frame_scores, shown_scores
from video_cam.models.classifier import Classifier
from video_cam.utils.code_place import place_in_user_code
from video_cam.utils.devices import on_cpu
from video_cam.utils.memory import BatchHalving, is_out_of_memory
from video_cam.utils.progress import Progress, silent
from video_cam.utils.threads import prefetch

BATCHES_AHEAD = 2  # read while the network runs

ChooseTargets = Callable[[Tensor], Sequence[Target]]  # from a batch's logits (N, classes)
Batch = Sequence[tuple[int, np.ndarray]]  # window numbers and frames uint8 (N, H, W, 3)


class WindowRunner:
    """Runs the network on windows of one clip, in the process that holds the network."""

    def __init__(
        self,
        plan: ClipPlan,
        model: Classifier,
        config: ExplainConfig,
        progress: Progress = silent,
        prepared: PreparedClip | None = None,
    ) -> None:
        """Bind a plan, which another process with the same network may have made.

        Args:
            model: the network.
            progress: is told how many windows have been run.
            prepared: the frames of the plan's windows; None to read them from the clip.
        """
        self._plan, self._model, self._config = plan, model, config
        self._prepared = prepared
        self._map_keys = plan.map_keys
        self._progress = progress
        network = plan_network(model, plan.input_size, plan.model.layers, config)
        self._halving = BatchHalving(plan.batch_size)
        self._attributor = Attributor(
            model.module,
            network.layers,
            config.attribution(),
            unpack=network.folds,
            fields=network.fields,
            finer=network.finer,
            centres=network.centres,
            blocks=network.blocks,
            progress=progress,
        )
        # (W, classes); rows of windows that have not been run are zero.
        self._probabilities = np.zeros((len(plan.windows), len(plan.labels)), np.float32)

    def run(
        self, indices: Sequence[int], class_ids: Sequence[int] | None = None
    ) -> list[WindowResult]:
        """The results of some windows.

        Args:
            indices: numbers of the windows in the plan, in rising order.
            class_ids: the classes to explain; None for those that may be the clip's best, and for
                functions of the output.

        Raises:
            OtherFramesDecoded: where the file holds other frames than the plan says.
            ClipError, UsageError: where the clip or the network cannot be used.
        """
        windows = {index: self._plan.windows[index] for index in indices}
        choose = self._candidates if class_ids is None else lambda logits: list(class_ids)
        results: list[WindowResult] = []
        inputs = WindowInputs(self._model.preprocess, self._model.device)

        def run_batch(batch: Batch) -> None:
            results.extend(self._run_batch(batch, inputs, choose))

        with ExitStack() as stack:
            source = self._source(windows, stack)
            step = stack.enter_context(self._progress("explain", len(windows)))
            batched = batches(source.read(windows), self._plan.batch_size)
            for batch in stack.enter_context(prefetch(batched, BATCHES_AHEAD)):
                self._halving.run(batch, run_batch)
                step(len(batch))
            met = source.met()
        cuts = met.cuts if self._config.sampling == "windows" else ()
        return [
            replace(
                result,
                num_damaged=met.num_damaged,
                corrupt_frames=met.corrupt_frames if result is results[0] else (),
                cuts=tuple(cuts_within(cuts, windows[result.index])),
                has_interlaced=met.has_interlaced,
                memory_note=self._halving.note,
            )
            for result in results
        ]

    def _source(self, windows: Mapping[int, Window], stack: ExitStack) -> WindowSource:
        if self._prepared is not None:
            return self._prepared
        span = self._span(windows)
        return stack.enter_context(FileSource(self._plan.clip, span, self._model.preprocess))

    def _span(self, windows: Mapping[int, Window]) -> FrameSpan:
        """The frames to read. For all windows the whole span, so that all its frames are checked.

        For some of the windows only the frames from the first one's to the last one's.
        """
        if len(windows) == len(self._plan.windows):
            return self._plan.span
        frames = [index for window in windows.values() for index in window.frame_indices]
        return FrameSpan(min(frames), max(frames) + 1)

    def _run_batch(
        self, batch: Batch, inputs: WindowInputs, choose: ChooseTargets
    ) -> list[WindowResult]:
        """One forward pass over some windows."""
        indices = [index for index, _ in batch]
        frame_indices = [self._plan.windows[index].frame_indices for index in indices]
        x = inputs(frame_indices, [frames for _, frames in batch]).to(self._model.dtype)

        logits = torch.zeros(0)

        def choose_from_outputs(outputs: Any) -> Sequence[Target]:
            nonlocal logits
            logits, *shares = _class_scores(outputs, len(indices), len(self._plan.labels))
            [shown] = shares or [shown_scores(logits, self._model.score)]
            self._probabilities[indices] = shown.numpy()
            return choose(*shares or [logits])

        try:
            with self._model.input_layout.in_window(self._plan.clip, frame_indices[0]):
                found = self._attributor(x, choose_from_outputs, batch_size=self._halving.size)
        except Exception as error:  # the network's own code may raise anything
            place = place_in_user_code(error)
            if isinstance(error, VideoCamError) or is_out_of_memory(error) or not place:
                raise
            raise ClipError(
                f"{place}: {type(error).__name__}: {first_line(error)}; the network was given "
                f"{tuple(x.shape)}"
            ) from error
        return self._results(indices, logits.numpy(), found)

    def _results(
        self, indices: Sequence[int], logits: np.ndarray, found: AttributionResult
    ) -> list[WindowResult]:
        """One batch's results, divided by window."""
        own = frame_scores(found.outputs) if self._plan.labels else None  # (N, T, classes)
        of_functions = [
            one for one, ids in zip(found.scores, found.class_ids, strict=True) if ids is None
        ]
        refined = {key[:2] for key in self._plan.refined}
        of_layers = {k: v for k, v in found.layer_maps.items() if k[1:] in refined}
        # Every copy waits for the device, so there is one.
        wanted = [*found.maps.values(), *of_layers.values(), *of_functions]
        copied = on_cpu([*wanted, *([] if own is None else [own])])
        given = iter(copied)
        maps = {key: next(given).numpy() for key in found.maps}
        sums = {key: self._sample_sums(key[1], next(given)) for key in of_layers}
        functions = _columns([next(given) for _ in of_functions], len(indices))
        scores = None
        if own is not None:
            scores = shown_scores(copied[-1].float(), self._model.score)
            scores = _of_frames(scores, self._plan.input_size[0])
        results, plan = [], self._plan
        for row, index in enumerate(indices):
            targets = _targets_of_row(found, row)
            result = WindowResult(
                index=index,
                logits=logits[row],
                probabilities=self._probabilities[index].copy(),
                function_scores=functions[row],
                maps={
                    target: tuple(self._stored(maps, row, number, key) for key in self._map_keys)
                    for number, target in enumerate(targets)
                },
                sample_sums={
                    target: {
                        place: sums[(number, *key[:2])][row].copy()
                        for place, key in enumerate(self._map_keys)
                        if key in self._plan.refined
                    }
                    for number, target in enumerate(targets)
                },
                frame_scores={
                    target: scores[row, :, target.class_id].numpy().copy()
                    for target in targets
                    if scores is not None and isinstance(target, ClassTarget)
                },
                map_note="; ".join(found.notes) or None,
                sampling={
                    target: self._sampling(found, maps, number, row)
                    for number, target in enumerate(targets)
                },
                input_centres={
                    key: place
                    for key, place in found.centres.items()
                    if key in self._map_keys and key not in plan.centres
                },
            )
            results.append(result)
        return results

    def _stored(
        self, maps: Mapping[TargetMapKey, np.ndarray], row: int, number: int, key: MapKey
    ) -> np.ndarray | QuantisedMaps:
        """The map of one row of a batch and one target, as a result holds it."""
        values = maps[(number, *key)][row]
        return QuantisedMaps.of([values]) if key in self._plan.refined else values

    def _sampling(
        self,
        found: AttributionResult,
        maps: Mapping[TargetMapKey, np.ndarray],
        number: int,
        row: int,
    ) -> dict[int, tuple[int, float]]:
        """What is said about the maps of a target that random masks were drawn for."""
        known = {}
        for place, key in enumerate(self._map_keys):
            sampling = found.sampling.get((number, *key))
            if sampling is not None:
                error = float(sampling.errors[row].square().mean().sqrt())
                peak = float(np.abs(maps[(number, *key)][row]).max())
                known[place] = sampling.masks[row], error / peak if peak else 0.0
        return known

    def _sample_sums(self, layer: str, values: Tensor) -> np.ndarray:
        """float32 (windows, N): maps on a layer's own cells, divided among the samples."""
        sums = values.sum((2, 3)).double().numpy()
        centres = self._plan.layer_centres[layer]
        return sample_contributions(sums, centres, self._plan.input_size[0]).astype(np.float32)

    def _candidates(self, logits: Tensor) -> Sequence[Target]:
        """The targets of the first pass over a batch."""
        leading = None
        if len(self._plan.windows) > 1:
            leading = best_classes(self._probabilities, num_candidates(self._config))
        return candidates(logits, self._config, self._plan.class_ids, leading)


def _columns(scores: Sequence[Tensor], num_windows: int) -> np.ndarray:
    """float32 (windows, functions); without columns where no functions were explained."""
    if not scores:
        return np.zeros((num_windows, 0), np.float32)
    return np.stack([one.numpy() for one in scores], 1)


def _targets_of_row(found: AttributionResult, row: int) -> list[MapTarget]:
    """What each of the batch's targets is for one window; functions are numbered in order."""
    targets: list[MapTarget] = []
    num_functions = 0
    for target in found.targets:
        if isinstance(target, Sequence):
            targets.append(ClassTarget(target[row]))
        else:
            targets.append(FunctionTarget(num_functions))
            num_functions += 1
    return targets


def _of_frames(scores: Tensor, num_frames: int) -> Tensor:
    """Scores (N, T', classes) of parts of equal length as scores (N, num_frames, classes)."""
    parts = scores.shape[1]
    return scores[:, [frame * parts // num_frames for frame in range(num_frames)]]


def _class_scores(outputs: Any, samples: int, classes: int) -> list[Tensor]:
    """float32 (N, classes) on the CPU: checked logits, and shares of places where it has them.

    Without columns where the network has no class scores.
    """
    if not classes:
        return [torch.zeros(samples, 0)]
    logits, shares = class_scores(outputs).float(), class_shares(outputs)
    if logits.shape[1] != classes:
        raise UsageError(
            f"the network put out {tuple(logits.shape)}, expected (N, {classes}) class scores"
        )
    found = on_cpu([logits] if shares is None else [logits, shares])
    if not found[0].isfinite().all():
        raise ClipError("the network put out values that are not finite: check its weights")
    return found
