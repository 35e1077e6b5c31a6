"""The answers of a run as a page shows them: sentences, classes, the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from video_cam.evaluation.answers import (
    MEASURES,
    Answers,
    ClassAnswer,
    interval_text,
    percent,
    sentences,
)

MAX_MATRIX_CLASSES = 30  # more columns than this cannot be read


def answers_view(answers: Answers) -> dict[str, Any]:
    """What the template of the gallery needs, as text and numbers.

    Returns:
        sentences; headings and classes: a table with a row for each class; matrix: see
        ``_matrix``; measures: rows of title, all, right, wrong.
    """
    shown = [one.name for one in answers.measures]
    return {
        "sentences": sentences(answers),
        "headings": ["class", "clips", "right", "recall", "precision", *map(MEASURES.get, shown)],
        "classes": [_class(one, shown) for one in answers.classes],
        "matrix": _matrix(answers),
        "measures": [
            [one.title, *map(interval_text, (one.all, one.right, one.wrong))]
            for one in answers.measures
        ],
        "counts": answers.measures[0].counts if answers.measures else (0, 0),
    }


def _class(one: ClassAnswer, measures: Sequence[str]) -> list[str]:
    means = (one.measures[name] for name in measures)
    return [
        one.label,
        str(one.num_clips),
        str(one.num_right),
        percent(one.recall),
        percent(one.precision),
        *("" if mean is None else f"{mean:.2f}" for mean in means),
    ]


def _matrix(answers: Answers) -> dict[str, Any]:
    """The confusion matrix of the classes with most errors.

    Returns:
        labels: of rows and columns; rows: for each truth its cells: truth, predicted, count, share
        of the truth's clips; num_others: how many classes are left out.
    """
    errors = dict.fromkeys(answers.labels, 0)
    for (truth, predicted), count in answers.confusions.items():
        if truth != predicted:
            errors[truth] += count
            errors[predicted] += count
    most = sorted(answers.labels, key=lambda label: -errors[label])[:MAX_MATRIX_CLASSES]
    labels = sorted(most)
    num_clips = {one.label: one.num_clips for one in answers.classes}
    return {
        "labels": labels,
        "rows": [
            [_cell(answers, truth, predicted, num_clips[truth]) for predicted in labels]
            for truth in labels
        ],
        "num_others": len(answers.labels) - len(labels),
    }


def _cell(answers: Answers, truth: str, predicted: str, num_clips: int) -> dict[str, Any]:
    count = answers.confusions.get((truth, predicted), 0)
    return {
        "truth": truth,
        "predicted": predicted,
        "count": count,
        "share": round(count / num_clips, 3) if num_clips else 0,
    }
