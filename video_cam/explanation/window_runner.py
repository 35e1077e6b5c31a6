"""The network on windows of a clip: reads frames, runs batches, returns window results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from video_cam.attribution.attributor import AttributionResult, Attributor
from video_cam.attribution.targets import Target
from video_cam.config import ExplainConfig
from video_cam.errors import ClipError, UsageError
from video_cam.explanation.clip_plan import ClipPlan, plan_network
from video_cam.explanation.map_series import ClassTarget, FunctionTarget, MapTarget
from video_cam.explanation.sampling import Span, Window
from video_cam.explanation.scenes import CutHint, crossed
from video_cam.explanation.target_selection import best_classes, candidates, num_candidates
from video_cam.explanation.window_reader import batches, read_windows
from video_cam.explanation.window_result import WindowResult
from video_cam.layers.outputs import class_scores, frame_scores, shares
from video_cam.models.classifier import Classifier
from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Progress, silent
from video_cam.utils.threads import prefetch
from video_cam.video.reader import FrameReader

BATCHES_AHEAD = 2  # read while the network runs

ChooseTargets = Callable[[Tensor], Sequence[Target]]
Batch = Sequence[tuple[int, np.ndarray]]  # window numbers and frames uint8 (N, H, W, 3)


class OtherFramesDecoded(Exception):
    """The decoder's frames are not those that the plan was made for."""


class WindowRunner:
    """Runs the network on windows of one clip, in the process that holds the network."""

    def __init__(
        self,
        plan: ClipPlan,
        model: Classifier,
        config: ExplainConfig,
        progress: Progress = silent,
    ) -> None:
        """Bind a plan, which another process with the same network may have made.

        Args:
            model: the network.
            progress: is told how many windows have been run.
        """
        self._plan, self._model, self._config = plan, model, config
        self._progress = progress
        network = plan_network(model, plan.input_size, plan.model.layers, config)
        self._halving = BatchHalving(plan.batch_size)
        self._attributor = Attributor(
            model.module,
            network.layers,
            config.attribution(),
            unpack=network.folds,
            fields=network.fields,
            progress=progress,
        )
        # Of the windows that have been run; zeros elsewhere.
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
        hint = CutHint()
        span = self._span(windows)
        with (
            self._plan.clip.frames(span.first, span.stop) as reader,
            self._progress("explain", len(windows)) as step,
            prefetch(self._read(reader, windows, hint), BATCHES_AHEAD) as read,
        ):
            for batch in read:
                self._halving.run(batch, lambda part: results.extend(self._run_batch(part, choose)))
                step(len(batch))
            self._check_frames(reader, span)
        return self._with_notes(results, windows, hint, reader.num_damaged)

    def _span(self, windows: Mapping[int, Window]) -> Span:
        """The whole span for all windows, so that all of its frames are checked; else less."""
        if len(windows) == len(self._plan.windows):
            return self._plan.span
        frames = [index for window in windows.values() for index in window.frame_indices]
        return Span(min(frames), max(frames) + 1)

    def _read(
        self, reader: FrameReader, windows: Mapping[int, Window], hint: CutHint
    ) -> Iterator[list[tuple[int, np.ndarray]]]:
        """Batches of numbered windows; then the other frames, so that they are counted."""
        frames = iter(reader)
        inputs = read_windows(frames, list(windows.values()), self._model.preprocess, hint.note)
        yield from batches(zip(windows, inputs, strict=False), self._plan.batch_size)
        for _ in frames:
            pass

    def _check_frames(self, reader: FrameReader, span: Span) -> None:
        expected = self._plan.clip.timeline.pts[reader.first_decoded : span.stop]
        if not np.array_equal(reader.timeline.pts, expected):
            raise OtherFramesDecoded

    def _with_notes(
        self,
        results: Sequence[WindowResult],
        windows: Mapping[int, Window],
        hint: CutHint,
        num_damaged: int,
    ) -> list[WindowResult]:
        cuts = hint.cuts() if self._config.sampling == "windows" else []
        return [
            replace(
                result,
                num_damaged=num_damaged,
                cuts=tuple(crossed(cuts, [windows[result.index]])),
                memory_note=self._halving.note,
            )
            for result in results
        ]

    def _run_batch(self, batch: Batch, choose: ChooseTargets) -> list[WindowResult]:
        """One forward pass over some windows."""
        indices = [index for index, _ in batch]
        x = self._model.preprocess.tensor(
            np.stack([frames for _, frames in batch]), self._model.device
        ).to(self._model.dtype)

        def note_and_choose(outputs: Any) -> Sequence[Target]:
            logits = _logits(outputs, len(self._plan.labels))
            self._probabilities[indices] = shares(logits, self._model.score).cpu().numpy()
            return choose(logits)

        found = self._attributor(x, note_and_choose, batch_size=self._halving.size)
        logits = _logits(found.outputs, len(self._plan.labels)).cpu().numpy()
        of_frames = frame_scores(found.outputs)
        if of_frames is not None:
            of_frames = shares(of_frames.float(), self._model.score).cpu()
        functions = self._function_scores(found, len(batch))
        return [
            WindowResult(
                index,
                logits[row],
                self._probabilities[index].copy(),
                functions[row],
                *self._maps(found, of_frames, row),
            )
            for row, index in enumerate(indices)
        ]

    def _function_scores(self, found: AttributionResult, windows: int) -> np.ndarray:
        """float32 (windows, functions); without columns where no functions were asked for."""
        columns = [
            scores.cpu().numpy()
            for scores, class_ids in zip(found.scores, found.class_ids, strict=True)
            if class_ids is None
        ]
        return np.stack(columns, 1) if columns else np.zeros((windows, 0), np.float32)

    def _maps(
        self, found: AttributionResult, of_frames: Tensor | None, row: int
    ) -> tuple[dict[MapTarget, tuple[np.ndarray, ...]], dict[MapTarget, np.ndarray]]:
        """Maps and frame scores of one window by target."""
        maps: dict[MapTarget, tuple[np.ndarray, ...]] = {}
        scores: dict[MapTarget, np.ndarray] = {}
        for number, class_ids in enumerate(found.class_ids):
            target: MapTarget
            if class_ids is None:
                target = FunctionTarget(self._config.targets.index(found.targets[number]))
            else:
                target = ClassTarget(int(class_ids[row]))
                if of_frames is not None:
                    scores[target] = of_frames[row, :, target.class_id].numpy()
            maps[target] = tuple(
                found.maps[number, layer, method][row].cpu().numpy()
                for layer, method in self._plan.slots
            )
        return maps, scores

    def _candidates(self, logits: Tensor) -> Sequence[Target]:
        leading = None
        if len(self._plan.windows) > 1:
            leading = best_classes(self._probabilities, num_candidates(self._config))
        return candidates(logits, self._config, self._plan.class_ids, leading)


def _logits(outputs: Any, classes: int) -> Tensor:
    logits = class_scores(outputs).detach().float()
    if logits.shape[1] != classes:
        raise UsageError(
            f"the network put out {tuple(logits.shape)}, expected (N, {classes}) class scores"
        )
    if not logits.isfinite().all():
        raise ClipError("the network put out values that are not finite: check its weights")
    return logits
