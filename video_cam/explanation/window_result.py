"""What the network gave for one window of a clip, wherever it was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from video_cam.explanation.blending import Maps
from video_cam.explanation.map_series import MapTarget


@dataclass(frozen=True)
class WindowResult:
    """Scores and maps of one window: kilobytes, the same from this process or a Ray actor.

    Attributes:
        index: the window's number in the clip's plan.
        logits: float32 (classes,).
        probabilities: float32 (classes,), or scores of another kind, as ModelInfo.score says.
        function_scores: float32 (functions,); empty where no functions were asked for.
        maps: target -> one signed float32 (T', H', W') map for each layer and method, in the order
            layer, then method.
        frame_scores: target -> float32 (N,) scores of single frames; empty for networks that score
            clips.
        num_damaged: damaged packets in what was read for this window and its neighbours.
        cuts: source frames in the window that look like the first one after a hard cut.
        memory_note: what happened where memory did not suffice, else None.
    """

    index: int
    logits: np.ndarray
    probabilities: np.ndarray
    function_scores: np.ndarray
    maps: dict[MapTarget, tuple[Maps, ...]]
    frame_scores: dict[MapTarget, np.ndarray]
    num_damaged: int = 0
    cuts: tuple[int, ...] = ()
    memory_note: str | None = None

    def with_maps_of(self, other: WindowResult) -> WindowResult:
        """This result with the maps of a later pass over the same window added."""
        return replace(
            self,
            maps=self.maps | other.maps,
            frame_scores=self.frame_scores | other.frame_scores,
            memory_note=self.memory_note or other.memory_note,
        )


def split_windows(windows: Sequence[int], parts: int, batch_size: int) -> list[list[int]]:
    """About ``parts`` runs of consecutive windows for different workers.

    All but the last one hold whole batches, so that every batch is the one of an undivided run and
    the numbers are the same to the last bit.
    """
    batches = -(-len(windows) // batch_size)
    size = -(-batches // parts) * batch_size
    return [list(windows[begin : begin + size]) for begin in range(0, len(windows), size)]
