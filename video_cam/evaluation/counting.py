"""Counts the answers of a run from the records of its clips; imports no PyTorch."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from video_cam.evaluation.answers import MEASURES, TOP, Answers, ClassAnswer, MeasureAnswer
from video_cam.utils.intervals import mean_interval, wilson

# Of a clip: whether its true and predicted class are known, and the same.
_RIGHT, _WRONG, _UNKNOWN = 0, 1, 2


class AnswersCounter:
    """Takes records, the lines of results.jsonl, one by one.

    Of a clip it keeps the measures of its map, and nothing where it has no ground truth.
    """

    def __init__(self) -> None:
        self._num_truths = self._num_failed = self._num_in_top = self._num_classes = 0
        self._confusions: Counter[tuple[str, str]] = Counter()  # (truth, predicted) -> clips
        self._num_right: Counter[str] = Counter()  # truth -> clips
        self._values = {name: array("d") for name in MEASURES}
        self._groups = {name: array("b") for name in MEASURES}  # of these values
        self._sums: dict[tuple[str, str], float] = defaultdict(float)  # of (truth, measure)
        self._counts: Counter[tuple[str, str]] = Counter()  # (truth, measure) -> clips

    def add(self, record: Mapping[str, Any]) -> None:
        """Take the record of one clip."""
        truth, prediction = record.get("truth"), record.get("prediction") or {}
        if not truth:
            return
        self._num_truths += 1
        self._num_failed += record.get("status") == "failed"
        self._num_classes = max(self._num_classes, truth.get("num_classes") or 0)
        rank, label = truth.get("rank"), truth.get("label")
        measures = truth.get("measures") or {}
        if rank is None or label is None or "label" not in prediction:
            self._add_measures(measures, _UNKNOWN)
            return
        self._confusions[label, prediction["label"]] += 1
        self._num_right[label] += rank == 1
        self._num_in_top += rank <= TOP
        self._add_measures(measures, _RIGHT if rank == 1 else _WRONG)
        for name, value in _known(measures):
            self._sums[label, name] += value
            self._counts[label, name] += 1

    def answers(self) -> Answers | None:
        """The answers of the clips that were added; None where none has a truth."""
        if not self._num_truths:
            return None
        num_clips, num_right = self._confusions.total(), self._num_right.total()
        return Answers(
            top1=wilson(num_right, num_clips),
            top5=wilson(self._num_in_top, num_clips) if self._num_classes > TOP else None,
            num_right=num_right,
            num_clips=num_clips,
            num_failed=self._num_failed,
            classes=tuple(self._classes()),
            confusions=self._confusions,
            measures=tuple(self._measures()),
        )

    def _add_measures(self, measures: Mapping[str, float | None], group: int) -> None:
        for name, value in _known(measures):
            self._values[name].append(value)
            self._groups[name].append(group)

    def _classes(self) -> Iterator[ClassAnswer]:
        num_clips: Counter[str] = Counter()
        num_predicted: Counter[str] = Counter()
        for (truth, predicted), count in self._confusions.items():
            num_clips[truth] += count
            num_predicted[predicted] += count
        for label in sorted(num_clips | num_predicted):
            yield ClassAnswer(
                label,
                num_clips=num_clips[label],
                num_predicted=num_predicted[label],
                num_right=self._num_right[label],
                measures={name: self._mean(label, name) for name in MEASURES},
            )

    def _mean(self, label: str, name: str) -> float | None:
        count = self._counts[label, name]
        return self._sums[label, name] / count if count else None

    def _measures(self) -> Iterator[MeasureAnswer]:
        for name, title in MEASURES.items():
            values, groups = np.asarray(self._values[name]), np.asarray(self._groups[name])
            if not len(values):
                continue
            right, wrong = (values[groups == group] for group in (_RIGHT, _WRONG))
            of_all, of_right, of_wrong = map(mean_interval, (values, right, wrong))
            yield MeasureAnswer(name, title, of_all, of_right, of_wrong, (len(right), len(wrong)))


def _known(measures: Mapping[str, float | None]) -> Iterator[tuple[str, float]]:
    for name in MEASURES:
        value = measures.get(name)
        if value is not None:
            yield name, value
