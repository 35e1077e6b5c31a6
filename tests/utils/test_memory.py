"""Batches are halved when memory runs out, and the note says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from tests.support.memory import TOO_MUCH, allocate_too_much
from video_cam import ClipError
from video_cam.utils.memory import BatchHalving, is_out_of_memory


def test_batches_are_halved_until_they_fit_and_stay_small() -> None:
    done: list[int] = []
    tried: list[int] = []

    def work(part: Sequence[int]) -> None:
        tried.append(len(part))
        if len(part) > 3:
            allocate_too_much()
        done.extend(part)

    halving = BatchHalving(8)
    halving.run(range(8), work)
    halving.run(range(8, 15), work)
    assert done == list(range(15))
    assert tried == [8, 4, 2, 2, 2, 2, 2, 2, 2, 1]
    assert halving.note == "out of memory with batches of 4: continued with batches of 2"


def test_without_a_failure_there_is_no_note() -> None:
    halving = BatchHalving(3)
    sizes: list[int] = []
    halving.run(range(7), lambda part: sizes.append(len(part)))
    assert sizes == [3, 3, 1]
    assert (halving.size, halving.note) == (3, None)


def test_a_single_item_that_does_not_fit_is_an_error() -> None:
    halving = BatchHalving(4)
    with pytest.raises(ClipError, match="out of memory with one window at a time"):
        halving.run([1, 2], lambda part: allocate_too_much())
    assert halving.size == 1


def test_allocators_errors_are_recognized_and_others_are_raised() -> None:
    for allocate in (allocate_too_much, lambda: np.empty(TOO_MUCH, np.uint8)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            allocate()
        assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.cuda.OutOfMemoryError())
    with pytest.raises(RuntimeError, match="shapes"):
        BatchHalving(2).run([1], lambda part: torch.ones(2) @ torch.ones(3, 3))
