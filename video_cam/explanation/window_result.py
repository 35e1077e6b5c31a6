"""Some of a clip's windows, done elsewhere: what is asked, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from video_cam.video.timeline import Timeline


@dataclass(frozen=True)
class Part:
    """Windows of a clip by their numbers; classes: those to explain, None for likely ones."""

    path: str
    timeline: Timeline
    windows: tuple[int, ...]
    classes: list[int] | None


@dataclass(frozen=True)
class Findings:
    """What was found in the windows of a part: kilobytes.

    probabilities, logits: float32 (windows, classes). function_scores: (windows, functions). maps:
    (window, class id) -> a map for each layer and method. frame_scores: (window, class id) -> (N,).
    note: on memory that did not suffice. cuts: frames behind what looks like a hard cut.
    """

    windows: tuple[int, ...]
    probabilities: np.ndarray
    logits: np.ndarray
    function_scores: np.ndarray
    maps: dict[tuple[int, int], list[Tensor]]
    frame_scores: dict[tuple[int, int], np.ndarray]
    num_damaged: int
    note: str | None
    cuts: frozenset[int]


# A part of a clip and the windows in one batch -> the findings of its parts, in any order.
Deal = Callable[[Part, int], Iterator[Findings]]


def split(part: Part, count: int, batch_size: int) -> list[Part]:
    """About ``count`` parts of consecutive windows.

    All but the last one hold whole batches, so that every batch is the one of an undivided run,
    and the numbers are the same to the last bit.
    """
    batches = -(-len(part.windows) // batch_size)
    size = -(-batches // count) * batch_size
    return [
        replace(part, windows=part.windows[begin : begin + size])
        for begin in range(0, len(part.windows), size)
    ]
