"""Window results: a later pass is added; windows are divided among workers in whole batches."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from tests.support.explanations import window_result
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.explanation.window_result import split_windows

A, B, F = ClassTarget(0), ClassTarget(1), FunctionTarget(0)


def test_a_later_pass_adds_maps_and_keeps_the_first_ones_scores() -> None:
    first = window_result(
        4,
        {A: [[1, 2]], F: [[3, 4]]},
        logits=np.array([1.0, 2.0]),
        function_scores=np.array([0.5]),
        frame_scores={A: np.array([0.1])},
        num_damaged=2,
        cuts=(7,),
    )
    later = window_result(
        4,
        {B: [[5, 6]]},
        logits=np.array([1.1, 2.1]),
        frame_scores={B: np.array([0.2])},
        num_damaged=1,
        cuts=(8,),
        memory_note="halved",
    )
    both = first.with_maps_of(later)
    assert {key: maps[0][:, 0, 0].tolist() for key, maps in both.maps.items()} == {
        A: [1, 2],
        F: [3, 4],
        B: [5, 6],
    }
    assert both.frame_scores == {A: np.array([0.1]), B: np.array([0.2])}
    assert (both.logits.tolist(), both.function_scores.tolist()) == ([1, 2], [0.5])
    assert (both.index, both.num_damaged, both.cuts) == (4, 2, (7,))
    assert set(first.maps) == {A, F} and first.memory_note is None  # left as it was


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [("a", "b", "b"), ("a", None, "a"), (None, "b", "b"), (None, None, None)],
)
def test_the_newest_note_on_memory_counts(first, later, expected) -> None:
    one, other = (window_result(0, {}, memory_note=note) for note in (first, later))
    assert one.with_maps_of(other).memory_note == expected


def test_results_reach_other_processes_with_equal_targets() -> None:
    sent = pickle.loads(pickle.dumps(window_result(0, {A: [[1, 2]], F: [[3, 4]]})))
    assert sent.maps[ClassTarget(0)][0][:, 0, 0].tolist() == [1, 2]
    assert sent.maps[FunctionTarget(0)][0][:, 0, 0].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("windows", "parts", "batch_size", "sizes"),
    [
        (19, 8, 2, [4, 4, 4, 4, 3]),
        (19, 3, 4, [8, 8, 3]),
        (4, 8, 4, [4]),
        (1, 3, 4, [1]),
        (9, 9, 1, [1] * 9),
    ],
)
def test_parts_hold_whole_batches(windows, parts, batch_size, sizes) -> None:
    divided = split_windows(range(windows), parts, batch_size)
    assert [len(part) for part in divided] == sizes
    assert [window for part in divided for window in part] == list(range(windows))


def test_windows_of_a_second_pass_keep_their_numbers() -> None:
    assert split_windows([3, 5, 9], 2, 2) == [[3, 5], [9]]
