"""Where memory does not suffice for a batch, half of it is tried, and it is said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

import video_cam
from video_cam import ClipError
from video_cam.utils.memory import Halving, is_out_of_memory

ALL_THERE_IS = 1 << 60  # bytes


def too_much() -> None:
    torch.empty(ALL_THERE_IS, dtype=torch.uint8)


def test_batches_are_halved_until_they_fit_and_stay_so() -> None:
    done: list[int] = []
    tried: list[int] = []

    def work(part: Sequence[int]) -> None:
        tried.append(len(part))
        if len(part) > 3:
            too_much()
        done.extend(part)

    halving = Halving(8)
    halving.run(range(8), work)
    halving.run(range(8, 15), work)
    assert done == list(range(15))
    assert tried == [8, 4, 2, 2, 2, 2, 2, 2, 2, 1]
    assert halving.note == "out of memory with batches of 4: went on with batches of 2"


def test_one_at_a_time_may_be_too_much() -> None:
    halving = Halving(4)
    with pytest.raises(ClipError, match="out of memory with one window at a time"):
        halving.run([1, 2], lambda part: too_much())
    assert halving.size == 1


def test_the_allocators_errors_are_known_and_others_go_through() -> None:
    for allocate in (too_much, lambda: np.empty(ALL_THERE_IS, np.uint8)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            allocate()
        assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.cuda.OutOfMemoryError())
    with pytest.raises(RuntimeError, match="shapes"):
        Halving(2).run([1], lambda part: torch.ones(2) @ torch.ones(3, 3))


def test_a_clip_is_explained_in_smaller_batches(bundled, sample_clip, monkeypatch) -> None:
    whole = video_cam.explain(sample_clip, bundled)
    assert len(whole.frame_indices) > 2
    sizes = []

    def forward_of_little_memory(module, inputs):
        sizes.append(len(inputs[0]))
        if len(inputs[0]) > 2:
            too_much()

    hook = bundled.module.register_forward_pre_hook(forward_of_little_memory)
    try:
        halved = video_cam.explain(sample_clip, bundled)
    finally:
        hook.remove()
    assert max(sizes) > 2 and sizes[-1] <= 2
    assert any("out of memory with batches of" in note for note in halved.notes)
    np.testing.assert_allclose(halved.probabilities, whole.probabilities, atol=1e-5)
    np.testing.assert_allclose(halved.maps[0].values, whole.maps[0].values, atol=1e-4)
