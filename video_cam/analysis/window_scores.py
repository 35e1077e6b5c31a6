"""Scores of altered windows of a clip: the clip is read once, and nothing is scored twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from video_cam.analysis.window_input import read_input, read_inputs
from video_cam.attribution.targets import target_scores
from video_cam.config import ExplainConfig
from video_cam.explanation.batch_size import fitting_batch
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.map_series import FunctionTarget, MapTarget
from video_cam.layers.axes import run_network
from video_cam.layers.hooks import frozen_evaluation
from video_cam.layers.output_reading import centred
from video_cam.layers.outputs import class_scores, class_shares, shown_scores
from video_cam.models.classifier import Classifier
from video_cam.perturbation.alterations import Alteration
from video_cam.perturbation.scoring import scores_of_altered
from video_cam.utils.devices import on_cpu
from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Progress, Step, silent
from video_cam.utils.threads import prefetch
from video_cam.video.clip import Clip

WINDOWS_AHEAD = 1  # read while the network runs


class WindowScores:
    """Scores altered versions of a clip's windows, each at most once."""

    def __init__(
        self,
        clip: Clip,
        model: Classifier,
        explanation: Explanation,
        config: ExplainConfig,
        progress: Progress = silent,
    ) -> None:
        """Bind a clip.

        Args:
            clip: the clip that was explained.
            model: the network.
            explanation: has the clip's windows.
            config: what the explanation was made with.
            progress: is told how many clips have been scored.
        """
        self._clip, self._model, self._explanation = clip, model, explanation
        self._config, self._progress = config, progress
        self._classes = len(model.labels)
        # (window, alteration) -> float32 (columns,): see ``_columns``
        self._known: dict[tuple[int, Alteration], np.ndarray] = {}
        self._kept_input: tuple[int, Tensor] | None = None
        size = (explanation.frame_indices.shape[1], *model.preprocess.crop)
        batch, _ = fitting_batch(clip, model, (), size, config.batch_size)
        self._halving = BatchHalving(batch)

    @property
    def memory_note(self) -> str | None:
        """A sentence on smaller batches, where memory ran out; else None."""
        return self._halving.note

    def num_forwards(self, windows: Sequence[int], alterations: Sequence[Alteration]) -> int:
        """How many clips the network has to score for these, beside what is known already."""
        return sum(len(self._missing(window, alterations)) for window in windows)

    def learn(
        self, window: int, alteration: Alteration, logits: np.ndarray, shown: np.ndarray
    ) -> None:
        """Take scores that are known from elsewhere; only where no functions are explained.

        Args:
            logits: float32 (classes,), of the altered window.
            shown: float32 (classes,), as results show them.
        """
        rows = centred(torch.from_numpy(logits)[None], self._model.reading)
        self._known[window, alteration] = np.concatenate([rows[0].numpy(), shown])

    def scores(
        self,
        target: MapTarget,
        windows: Sequence[int],
        alterations: Sequence[Alteration],
        stage: str | Step,
    ) -> np.ndarray:
        """Logits of a class, or values of a function, for every window and alteration.

        Args:
            target: what is scored.
            windows: numbers of windows, rising.
            alterations: see ``perturbation.alterations``; equal ones are scored once.
            stage: name of the work, for the progress bar; or, where the work has one already,
                what is called with the numbers of clips that have been scored.

        Returns:
            float64 (windows, alterations).
        """
        return self._table(windows, alterations, stage)[..., self._column(target)]

    def differences(
        self,
        target: MapTarget,
        windows: Sequence[int],
        alterations: Sequence[Alteration],
        stage: str | Step,
    ) -> np.ndarray:
        """As ``scores``, but where classes share a softmax, less the mean logit of all classes.

        There only differences between logits count. A mean over frames stays a mean over frames.
        """
        if isinstance(target, FunctionTarget) or self._explanation.model.score != "softmax":
            return self.scores(target, windows, alterations, stage)
        logits = self.all_scores(windows, alterations, stage)
        if self._classes == 1:
            return logits[..., 0]
        return np.asarray(logits[..., target.class_id] - logits.mean(-1))

    def probabilities(
        self,
        target: MapTarget,
        windows: Sequence[int],
        alterations: Sequence[Alteration],
        stage: str | Step,
    ) -> np.ndarray:
        """As ``scores``, as results show them: probabilities, where the network has any."""
        column = self._column(target)
        if not isinstance(target, FunctionTarget):
            column += self._classes
        return self._table(windows, alterations, stage)[..., column]

    def all_scores(
        self, windows: Sequence[int], alterations: Sequence[Alteration], stage: str | Step
    ) -> np.ndarray:
        """Logits of all classes, float64 (windows, alterations, classes)."""
        return self._table(windows, alterations, stage)[..., : self._classes]

    def all_probabilities(
        self, windows: Sequence[int], alterations: Sequence[Alteration], stage: str | Step
    ) -> np.ndarray:
        """As ``all_scores``, as results show them: probabilities, where the network has any."""
        columns = slice(self._classes, 2 * self._classes)
        return self._table(windows, alterations, stage)[..., columns]

    def _table(
        self, windows: Sequence[int], alterations: Sequence[Alteration], stage: str | Step
    ) -> np.ndarray:
        """float64 (windows, alterations, columns)."""
        todo = {w: missing for w in windows if (missing := self._missing(w, alterations))}
        total = sum(map(len, todo.values()))
        if total:
            with self._reported(stage, total) as step:
                for windows_together in self._groups(list(todo)):
                    self._score(windows_together, todo, step)
        rows = [[self._known[window, one] for one in alterations] for window in windows]
        return np.asarray(rows, np.float64)

    def _reported(self, stage: str | Step, total: int) -> AbstractContextManager[Step]:
        return self._progress(stage, total) if isinstance(stage, str) else nullcontext(stage)

    def _missing(self, window: int, alterations: Sequence[Alteration]) -> list[Alteration]:
        distinct = dict.fromkeys(alterations)
        return [one for one in distinct if (window, one) not in self._known]

    def _groups(self, windows: list[int]) -> list[list[int]]:
        """Windows that may share batches; one each where the input is made for a window."""
        if self._model.input_layout.factory is None:
            return [windows]
        return [[window] for window in windows]

    def _score(self, windows: Sequence[int], todo: dict[int, list[Alteration]], step: Step) -> None:
        keys = [(window, one) for window in windows for one in todo[window]]
        done: list[Tensor] = []
        with (
            self._in_window(windows[0]),
            frozen_evaluation(self._model.module),
            self._inputs(windows) as inputs,
        ):
            altered = _pairs(inputs, windows, todo)
            done.extend(scores_of_altered(self._columns, altered, self._halving, step))
        [rows] = on_cpu([torch.cat(done)])
        self._known.update(zip(keys, rows.numpy(), strict=True))

    def _inputs(self, windows: Sequence[int]) -> AbstractContextManager[Iterator[Tensor]]:
        """The windows' inputs (C, T, H, W), in order; a single one is kept for the next call."""
        if len(windows) > 1:
            waiting = read_inputs(self._clip, self._model, self._explanation, windows)
            return prefetch(waiting, WINDOWS_AHEAD)
        [window] = windows
        if self._kept_input is None or self._kept_input[0] != window:
            x = read_input(self._clip, self._model, self._explanation, window)
            self._kept_input = (window, x)
        return nullcontext(iter([self._kept_input[1]]))

    def _in_window(self, window: int) -> AbstractContextManager[None]:
        if self._model.input_layout.factory is None:
            return nullcontext()
        frames = self._explanation.frame_indices[window].tolist()
        return self._model.input_layout.in_window(self._clip, frames)

    def _columns(self, clips: Tensor) -> Tensor:
        """float32 (N, columns): the classes' logits, their shown scores, then the functions."""
        device, bf16 = self._model.device.type, self._config.precision == "bf16"
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            outputs = run_network(self._model.module, clips)
        columns = []
        if self._classes:
            logits, shares = class_scores(outputs).float(), class_shares(outputs)
            shown = shown_scores(logits, self._model.score) if shares is None else shares
            columns += [centred(logits, self._model.reading), shown.float()]
        for function in self._config.targets:
            columns.append(target_scores(outputs, function)[0].float()[:, None])
        return torch.cat(columns, 1)

    def _column(self, target: MapTarget) -> int:
        if isinstance(target, FunctionTarget):
            return 2 * self._classes + target.number
        return target.class_id


def _pairs(
    inputs: Iterator[Tensor], windows: Sequence[int], todo: dict[int, list[Alteration]]
) -> Iterator[tuple[Tensor, Alteration]]:
    for window, x in zip(windows, inputs, strict=True):
        for alteration in todo[window]:
            yield x, alteration
