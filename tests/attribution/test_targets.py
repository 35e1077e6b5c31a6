"""From outputs and targets to scores and class ids."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from video_cam import UsageError
from video_cam.attribution.targets import finer_scores, target_scores

OUTPUTS = torch.tensor([[0.0, 3.0, 1.0, 2.0], [5.0, 1.0, 2.0, 7.0]])


@pytest.mark.parametrize(
    ("target", "class_ids", "scores"),
    [
        (None, [1, 3], [3, 7]),
        (2, [2, 2], [1, 2]),
        ([3, 0], [3, 0], [2, 5]),
        (lambda outputs: outputs.sum(1), None, [6, 15]),
        *[
            (one, [1, 1], [3, 1])
            for one in (
                np.int64(1),
                torch.tensor(1),
                np.array([1, 1]),
                torch.ones(2).long(),
                (1, 1),
            )
        ],
    ],
)
def test_scores_and_class_ids(target, class_ids: list[int] | None, scores: list[float]) -> None:
    found, ids = target_scores(OUTPUTS, target)
    assert found.tolist() == scores
    assert (None if ids is None else ids.tolist()) == class_ids


def test_a_function_may_return_the_score_of_a_single_sample() -> None:
    scores, _ = target_scores(OUTPUTS[:1], lambda outputs: outputs[0, 1])
    assert scores.tolist() == [3]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("cat", "'cat' must be None, a class id"),
        (3.5, "3.5 must be None, a class id"),
        ([0.5, 1], "0.5 must be a whole number"),
        (4, "class id 4 is outside 0 ... 3"),
        ([0, -1], "class id -1 is outside 0 ... 3"),
        ([0], "1 class ids for 2 samples"),
        (lambda outputs: outputs.sum(), r"made \(1,\)"),
        (lambda outputs: outputs[:1, 0], r"made \(1,\)"),
        (lambda outputs: 3, "made int"),
    ],
)
def test_wrong_targets(target, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        target_scores(OUTPUTS, target)


def test_finercam_never_compares_a_class_with_itself() -> None:
    outputs = torch.tensor([[5.0, 5.0, 4.0, 3.0, 0.0]], requires_grad=True)
    finer_scores(outputs, torch.tensor([1])).sum().backward()
    assert outputs.grad is not None and outputs.grad[0, 0] < 0  # another class, with the same score
    assert abs(float(outputs.grad[0, 4])) < 1e-6  # not among the three most similar ones


def test_finercam_needs_classes() -> None:
    with pytest.raises(UsageError, match="give the target as a class id"):
        finer_scores(OUTPUTS, None)
    with pytest.raises(UsageError, match="this network has one score only"):
        finer_scores(OUTPUTS[:, :1], torch.tensor([0, 0]))
