"""Scores many altered clips: full batches, also across windows, and smaller ones if memory ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Step

Score = Callable[[Tensor], Tensor]  # clips (N, C, T, H, W) -> (N, ...)
# A clip (C, T, H, W), or whatever ``join`` makes an input of, and what is done to it.
Altered = tuple[Any, Callable[[Any], Any]]
Join = Callable[[list[Any]], Any]


def scores_of_altered(
    score: Callable[[Any], Tensor],
    altered: Iterable[Altered],
    halving: BatchHalving,
    step: Step = lambda count: None,
    join: Join = torch.stack,
) -> Iterator[Tensor]:
    """Score altered clips in batches, without gradients; the clips may be of several windows.

    Args:
        score: from what ``join`` returns, clips (N, C, T, H, W) by default, to (N, ...), on any
            device.
        altered: clips and alterations, read one batch at a time. All clips are of one size.
        halving: says how many are scored at a time; its size shrinks where memory runs out.
        step: called with the number of clips of each batch that is done.
        join: makes the network's input of several altered clips.

    Yields:
        For each batch (n, ...), in the order of ``altered``, on the device of the scores: whoever
        reads numbers from it waits for the device.
    """
    waiting = iter(altered)
    while batch := list(islice(waiting, halving.size)):
        scores = _scores(score, batch, halving, join)
        step(len(batch))
        yield scores


def _scores(
    score: Callable[[Any], Tensor], batch: Sequence[Altered], halving: BatchHalving, join: Join
) -> Tensor:
    parts: list[Tensor] = []

    def score_part(part: Sequence[Altered]) -> None:
        with torch.no_grad():
            parts.append(score(join([alteration(x) for x, alteration in part])))

    halving.run(batch, score_part)
    return torch.cat(parts)
