"""The choice of what is explained, before and after the clip's scores are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tests.support.explanations import LABELS, make_explanation, map_series
from video_cam.config import ExplainConfig
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.explanation.target_selection import (
    best_classes,
    candidates,
    explained_targets,
    num_candidates,
    rivals_of,
)

# Two windows; over both, class 0 has the highest mean and class 1 the lowest.
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.1, 0.6]], np.float32)
LOGITS = torch.tensor(PROBABILITIES).log()


def margin(outputs: torch.Tensor) -> torch.Tensor:
    return outputs[:, 0] - outputs[:, 1]


def class_ids(targets) -> list[int]:
    return [target.class_id for target in targets]


@pytest.mark.parametrize(
    ("options", "asked", "leading", "expected"),
    [
        # One batch is the whole clip: the best class of each window, nothing to spare.
        ({}, [], None, [[0, 2]]),
        ({"top_k": 2}, [], None, [[0, 2], [1, 0]]),
        ({"contrast": True}, [], None, [[0, 2], [1, 0]]),
        # Later batches may change the order: one more class, and the clip's best so far where a
        # window has not got it already.
        ({"detail": "none"}, [], [1, 0], [[0, 2], [1, 0], 1]),
        ({"detail": "none"}, [], [0, 1], [[0, 2], [1, 0]]),
        ({"detail": "none", "top_k": 2}, [], [1, 0], [[0, 2], [1, 0], [2, 1]]),
        # Contrast has no detail.
        ({"contrast": True}, [], [1, 0], [[0, 2], [1, 0], [2, 1]]),
        # With detail each class costs more, so none is spared.
        ({}, [], [1, 0], [[0, 2], 1]),
        ({"detail": "input", "top_k": 2}, [], [0, 1], [[0, 2], [1, 0], 1]),
        # More than there are classes.
        ({"top_k": 9}, [], None, [[0, 2], [1, 0], [2, 1]]),
        # Each window's own classes do not depend on the clip.
        ({"class_scope": "window"}, [], [1], [[0, 2]]),
        ({"class_scope": "window", "worst": True}, [], [1], [[0, 2], [2, 1]]),
        # What the user named, and nothing else.
        ({"top_k": 2}, [2, 1], [0, 1], [2, 1]),
        ({"targets": (margin,)}, [], [0, 1], [margin]),
        ({"targets": (margin,)}, [2], [0, 1], [2, margin]),
    ],
)
def test_candidates(options, asked, leading, expected) -> None:
    assert candidates(LOGITS, ExplainConfig(**options), asked, leading) == expected


@pytest.mark.parametrize(
    ("options", "expected"), [({}, 1), ({"top_k": 3}, 3), ({"top_k": 3, "contrast": True}, 4)]
)
def test_a_contrast_needs_one_class_more(options, expected) -> None:
    assert num_candidates(ExplainConfig(**options)) == expected


@pytest.mark.parametrize(
    ("options", "asked", "expected"),
    [
        ({}, [], [(0, "ant")]),
        ({"top_k": 2}, [], [(0, "ant"), (2, "cat")]),
        ({"worst": True}, [], [(0, "ant"), (1, "bee")]),
        ({"top_k": 3, "worst": True}, [], [(0, "ant"), (2, "cat"), (1, "bee")]),  # each once
        ({"top_k": 9}, [], [(0, "ant"), (2, "cat"), (1, "bee")]),
        ({"top_k": 2}, [1], [(1, "bee")]),
        ({"worst": True}, [2, 0], [(2, "cat"), (0, "ant"), (1, "bee")]),
    ],
)
def test_classes_of_the_clip(options, asked, expected) -> None:
    chosen = explained_targets(PROBABILITIES, LABELS, ExplainConfig(**options), asked)
    assert [(class_ids(one.targets), one.label) for one in chosen] == [
        ([class_id] * 2, label) for class_id, label in expected
    ]
    assert all(one.is_constant and one.rivals == () for one in chosen)
    assert chosen[0].needed(1) == {ClassTarget(expected[0][0])}


def test_the_rival_of_a_class_is_the_best_other_class_of_the_clip() -> None:
    config = ExplainConfig(contrast=True, top_k=2)
    best, second = explained_targets(PROBABILITIES, LABELS, config, [])
    assert (class_ids(best.targets), class_ids(best.rivals)) == ([0, 0], [2, 2])
    assert best.label == "ant rather than cat"
    assert (class_ids(second.targets), class_ids(second.rivals)) == ([2, 2], [0, 0])
    assert best.needed(0) == {ClassTarget(0), ClassTarget(2)}


@pytest.mark.parametrize(
    ("options", "rank", "targets", "rivals", "label"),
    [
        ({}, 0, [0, 2], [], "each window's best class"),
        ({"top_k": 2}, 1, [1, 0], [], "each window's class 2"),
        ({"worst": True}, -1, [2, 1], [], "each window's worst class"),
        ({"contrast": True}, 0, [0, 2], [1, 0], "each window's best class rather than its next"),
        (
            {"contrast": True, "top_k": 2},
            1,
            [1, 0],
            [0, 2],
            "each window's class 2 rather than its best",
        ),
    ],
)
def test_each_window_by_its_own_class(options, rank, targets, rivals, label) -> None:
    config = ExplainConfig(class_scope="window", **options)
    one = explained_targets(PROBABILITIES, LABELS, config, [])[rank]
    assert (class_ids(one.targets), class_ids(one.rivals), one.label) == (targets, rivals, label)
    assert not one.is_constant
    assert one.needed(1) == {ClassTarget(i) for i in [targets[1], *rivals[1:2]]}


@pytest.mark.parametrize(
    ("options", "asked", "classes"),
    [
        ({}, [], []),
        ({"worst": True}, [], [1]),
        ({}, [2], [2]),
        ({"class_scope": "window"}, [], [0]),
    ],
)
def test_functions_come_last_and_replace_the_best_class(options, asked, classes) -> None:
    config = ExplainConfig(targets=(margin, torch.sum), **options)
    chosen = explained_targets(PROBABILITIES, LABELS, config, asked)
    assert [one.targets[0] for one in chosen] == [
        *map(ClassTarget, classes),
        FunctionTarget(0),
        FunctionTarget(1),
    ]
    assert [one.label for one in chosen[-2:]] == ["margin", "sum"]
    assert chosen[-1].targets == (FunctionTarget(1),) * 2


def test_best_classes_are_those_of_the_mean() -> None:
    assert best_classes(PROBABILITIES, 2) == [0, 2]
    # In a tie the lower id comes first.
    assert best_classes(np.array([[0.2, 0.4, 0.4]]), 3) == [1, 2, 0]


def test_the_rivals_of_an_explanation() -> None:
    explanation = make_explanation(
        probabilities=PROBABILITIES, maps=(map_series([[1, 2], [3, 4]], [0.5, 2.5]),)
    )
    assert rivals_of(explanation, contrast=True) == (2, 2)
    assert rivals_of(explanation, contrast=False) == ()
    function = dataclasses.replace(explanation.maps[0], target=FunctionTarget(0))
    explanation = dataclasses.replace(explanation, maps=(function,))
    assert rivals_of(explanation, contrast=True) == ()
