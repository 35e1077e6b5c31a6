"""Scores many altered clips: full batches, also across windows, and smaller ones if memory ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from video_cam.perturbation.alterations import Alteration
from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Step

Score = Callable[[Tensor], Tensor]  # clips (N, C, T, H, W) -> (N, ...)
Altered = tuple[Tensor, Alteration]  # a clip (C, T, H, W), and what is done to it


def scores_of_altered(
    score: Score,
    altered: Iterable[Altered],
    halving: BatchHalving,
    step: Step = lambda count: None,
) -> Iterator[Tensor]:
    """Score altered clips in batches, without gradients; the clips may be of several windows.

    Args:
        score: clips (N, C, T, H, W) -> (N, ...), on any device.
        altered: clips and alterations, read one batch at a time. All clips are of one size.
        halving: says how many are scored at a time; its size shrinks where memory runs out.
        step: called with the number of clips of each batch that is done.

    Yields:
        For each batch (n, ...), in the order of ``altered``, on the device of the scores: whoever
        reads numbers from it waits for the device.
    """
    waiting = iter(altered)
    while batch := list(islice(waiting, halving.size)):
        parts: list[Tensor] = []
        halving.run(batch, lambda part, to=parts: to.append(_scores(score, part)))  # type: ignore[misc]
        step(len(batch))
        yield torch.cat(parts)


def _scores(score: Score, batch: Sequence[Altered]) -> Tensor:
    with torch.no_grad():
        return score(torch.stack([alteration(x) for x, alteration in batch]))
