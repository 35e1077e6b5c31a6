"""Scores many altered clips: full batches, also across windows, and smaller ones if memory ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import Tensor

from video_cam.utils.memory import BatchHalving
from video_cam.utils.progress import Step

Clip = TypeVar("Clip")
Score = Callable[[Tensor], Tensor]  # clips (N, C, T, H, W) -> (N, ...)
# A clip (C, T, H, W), or whatever ``join`` makes an input of, and what is done to it.
Altered = tuple[Clip, Callable[[Clip], Clip]]
Join = Callable[[list[Clip]], Any]


def scores_of_altered(
    score: Callable[[Any], Tensor],
    altered: Iterable[Altered[Clip]],
    halving: BatchHalving,
    step: Step = lambda count: None,
    join: Join[Clip] = torch.stack,  # type: ignore[assignment]
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
        parts: list[Tensor] = []
        halving.run(batch, lambda part, to=parts: to.append(_scores(score, part, join)))  # type: ignore[misc]
        step(len(batch))
        yield torch.cat(parts)


def _scores(
    score: Callable[[Any], Tensor], batch: Sequence[Altered[Clip]], join: Join[Clip]
) -> Tensor:
    with torch.no_grad():
        return score(join([alteration(x) for x, alteration in batch]))
