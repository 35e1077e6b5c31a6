"""The loop over altered clips: batches, order, memory, progress."""

from __future__ import annotations

import pytest
import torch

from video_cam.errors import ClipError
from video_cam.perturbation.alterations import frozen, unaltered
from video_cam.perturbation.scoring import scores_of_altered
from video_cam.utils.memory import BatchHalving

WINDOWS = [torch.full((1, 2, 1, 1), float(window)) for window in range(3)]


class Network:
    """Scores clips by their mean, and notes how many it got at a time."""

    def __init__(self, room: int = 100) -> None:
        self.room = room
        self.batches: list[int] = []

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.room:
            raise MemoryError
        assert not torch.is_grad_enabled()
        self.batches.append(len(x))
        return x.mean((1, 2, 3, 4))


def altered() -> list[tuple[torch.Tensor, object]]:
    return [(x, one) for x in WINDOWS for one in (unaltered(2), frozen(2, 0), frozen(2, 1))]


def test_batches_are_filled_across_windows_and_keep_the_order() -> None:
    network, done = Network(), []
    scores = list(scores_of_altered(network, altered(), BatchHalving(4), done.append))
    assert network.batches == [4, 4, 1] == done
    assert torch.cat(scores).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_less_memory_makes_batches_smaller_and_changes_no_score() -> None:
    network, halving = Network(room=2), BatchHalving(8)
    scores = torch.cat(list(scores_of_altered(network, altered(), halving)))
    assert scores.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert halving.size == 2 and halving.note and max(network.batches) == 2
    with pytest.raises(ClipError, match="out of memory"):
        list(scores_of_altered(Network(room=0), altered(), BatchHalving(2)))


def test_clips_are_read_as_they_are_needed() -> None:
    taken = []

    def stream():
        for x, one in altered():
            taken.append(x)
            yield x, one

    next(scores_of_altered(Network(), stream(), BatchHalving(4)))
    assert len(taken) == 4
