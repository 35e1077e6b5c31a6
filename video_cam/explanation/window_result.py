"""What the network gave for one window of a clip, in whichever process it was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from video_cam.attribution.attribution_result import MapKey
from video_cam.explanation.map_series import MapTarget
from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.layers.alignment import CellCentres


@dataclass(frozen=True)
class WindowResult:
    """Scores and maps of one window: kilobytes, the same from this process or a Ray actor.

    Attributes:
        index: the window's number in the clip's plan.
        logits: float32 (classes,).
        probabilities: float32 (classes,), or scores of another kind, as ModelInfo.score says.
        function_scores: float32 (functions,); empty where no functions were explained.
        maps: target -> one signed map (T', H', W') for each of ``ClipPlan.map_keys``: float32,
            or quantised where it has more cells than its layer.
        sample_sums: target -> number of a map that has other cells than its layer -> float32 (N,),
            the map on the layer's own cells summed over space, divided among the window's samples.
        frame_scores: class -> float32 (N,) scores of single frames; empty for networks that score
            clips.
        sampling: target -> number of a map that random masks were drawn for -> how many, and the
            map's standard error: the root mean square over its cells, as a share of the largest
            absolute value (0 for a map of zeros).
        input_centres: (layer, method, detail) -> positions of the cells of maps of the whole input.
        num_damaged: packets that could not be decoded in what was read for this window and those
            run with it.
        corrupt_frames: source indices of corrupt frames in what was read for this window and those
            run with it; one of these results has them, the others have none.
        cuts: source indices of frames in the window that look like the first after a hard cut.
        has_interlaced: whether a frame in what was read for this window and those run with it is
            interlaced.
        memory_note: what happened where memory was not sufficient, else None.
        map_note: what could not be done for the maps, or not as asked, else None.
    """

    index: int
    logits: np.ndarray
    probabilities: np.ndarray
    function_scores: np.ndarray
    maps: dict[MapTarget, tuple[np.ndarray | QuantisedMaps, ...]]
    frame_scores: dict[MapTarget, np.ndarray]
    sample_sums: dict[MapTarget, dict[int, np.ndarray]] = field(default_factory=dict)
    sampling: dict[MapTarget, dict[int, tuple[int, float]]] = field(default_factory=dict)
    input_centres: dict[MapKey, CellCentres] = field(default_factory=dict)
    num_damaged: int = 0
    corrupt_frames: tuple[int, ...] = ()
    cuts: tuple[int, ...] = ()
    has_interlaced: bool = False
    memory_note: str | None = None
    map_note: str | None = None

    def with_maps_of(self, later: WindowResult) -> WindowResult:
        """This result with the maps, frame scores and memory note of a later pass added.

        Scores, damage and cuts are those of the first pass: a later one may run fewer windows, and
        does not run functions.
        """
        return replace(
            self,
            maps=self.maps | later.maps,
            sample_sums=self.sample_sums | later.sample_sums,
            frame_scores=self.frame_scores | later.frame_scores,
            sampling=self.sampling | later.sampling,
            input_centres=self.input_centres | later.input_centres,
            memory_note=later.memory_note or self.memory_note,
            map_note=later.map_note or self.map_note,
        )


def split_windows(windows: Sequence[int], parts: int, batch_size: int) -> list[list[int]]:
    """Divide windows into about ``parts`` runs of consecutive ones, for different workers.

    All runs but the last one hold whole batches. So every batch holds the same windows as in a
    single process, and the numbers are the same to the last bit.

    Args:
        windows: window numbers in rising order.
        parts: how many runs are wanted; there are fewer where there are too few batches.
        batch_size: windows in one forward pass.
    """
    batches = -(-len(windows) // batch_size)
    size = -(-batches // parts) * batch_size
    return [list(windows[begin : begin + size]) for begin in range(0, len(windows), size)]
