"""What a network makes of one window when only some of its frames are left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from video_cam.analysis.score_share import ENOUGH, ScoreShare
from video_cam.explanation.map_series import FunctionTarget, MapTarget
from video_cam.perturbation.alterations import Alteration, held
from video_cam.utils.progress import Step


class AlteredScores(Protocol):
    """Scores of altered windows, as ``WindowScores`` has them."""

    def num_forwards(self, windows: Sequence[int], alterations: Sequence[Alteration]) -> int:
        """How many clips have to be scored for these."""

    def differences(
        self,
        target: MapTarget,
        windows: Sequence[int],
        alterations: Sequence[Alteration],
        stage: str | Step,
    ) -> np.ndarray:
        """float64 (windows, alterations)."""

    def probabilities(
        self,
        target: MapTarget,
        windows: Sequence[int],
        alterations: Sequence[Alteration],
        stage: str | Step,
    ) -> np.ndarray:
        """float64 (windows, alterations)."""

    def all_scores(
        self, windows: Sequence[int], alterations: Sequence[Alteration], stage: str | Step
    ) -> np.ndarray:
        """float64 (windows, alterations, classes)."""


class KeptFrames:
    """Scores of a window's target when some frames are left; each is scored at most once.

    A frame is named by its number among the window's different frames: a window that repeats
    frames, because the clip is short or slow, has fewer of them than the network takes.

    Attributes:
        frame_indices: int64 (F,), the window's different source frames, rising.
        score: of the window with all its frames, as ``values`` returns it.
        blank_score: likewise, with none.
        shares: counts shares of the shown score.
        num_forwards: how many clips have been scored here.
        most_forwards: how many may be; ``share`` scores no more.
    """

    def __init__(
        self,
        scores: AlteredScores,
        target: MapTarget,
        window: int,
        frame_indices: np.ndarray,
        *,
        is_probability: bool,
        most_forwards: int,
        step: Step,
    ) -> None:
        """Score the window with all its frames and with none.

        Args:
            scores: of the clip's windows.
            target: what is scored.
            window: its number.
            frame_indices: int64 (N,), the source frames of the window.
            is_probability: whether the target's scores are shown as probabilities.
            most_forwards: as the attribute.
            step: called with the number of clips that have been scored.
        """
        self._scores, self._target, self._window, self._step = scores, target, window, step
        self.frame_indices, self._frame_at = np.unique(frame_indices, return_inverse=True)
        self.num_forwards, self.most_forwards = 0, most_forwards
        ends = (frozenset(range(len(self.frame_indices))), frozenset[int]())
        self.score, self.blank_score = self.values(ends).tolist()
        whole, blank = map(self._shown, ends)
        is_function = isinstance(target, FunctionTarget)
        self.shares = ScoreShare(whole, blank, is_probability, is_function)
        self._predicted = self._predicted_class(ends[0])

    def values(self, kept: Sequence[Collection[int]]) -> np.ndarray:
        """float64 (sets,): scores of the window with only these frames, for each set.

        Logits, or values of a function, as ``WindowScores.differences`` returns them.
        """
        alterations = [self._alteration(one) for one in kept]
        self.num_forwards += self._scores.num_forwards([self._window], alterations)
        return self._scores.differences(self._target, [self._window], alterations, self._step)[0]

    def share(self, kept: Collection[int]) -> float | None:
        """The share of the score that these frames keep, if it is ENOUGH and the class is kept.

        The class is the one that the network predicts for the window. None for other frames, and
        where no more clips may be scored.
        """
        missing = self._scores.num_forwards([self._window], [self._alteration(kept)])
        if self.num_forwards + missing > self.most_forwards:
            return None
        self.values([kept])
        share = float(self.shares.of(np.array(self._shown(kept))))
        is_enough = share >= ENOUGH and self._predicted_class(kept) == self._predicted
        return share if is_enough else None

    def _shown(self, kept: Collection[int]) -> float:
        """The score of frames whose value is known, as results show it."""
        shown = self._scores.probabilities(
            self._target, [self._window], [self._alteration(kept)], self._step
        )
        return float(shown[0, 0])

    def _predicted_class(self, kept: Collection[int]) -> int | None:
        alterations = [self._alteration(kept)]
        logits = self._scores.all_scores([self._window], alterations, self._step)[0, 0]
        return int(logits.argmax()) if len(logits) else None

    def _alteration(self, kept: Collection[int]) -> Alteration:
        positions = np.flatnonzero(np.isin(self._frame_at, list(kept)))
        return held(len(self._frame_at), positions.tolist())
