"""The maps of an explanation at every frame of its span, each blended over the windows once.

The renderer, the timeline, the page and the figure share one ``BlendedMaps``.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from video_cam.explanation.blending import Maps
from video_cam.explanation.explanation import Explanation
from video_cam.explanation.quantised_maps import window_peaks
from video_cam.rendering.explained_targets import MapTarget

# Blended cells that are kept, of all maps of an explanation together: ten minutes of video at 28
# frames per second on 16 x 16 cells.
MAX_KEPT_BYTES = 16 * 2**20


@dataclass(frozen=True)
class WindowShares:
    """How much each window contributes to each frame; parallel arrays with one entry per pair.

    Attributes:
        positions: int (K,), frames counted from the start of the span.
        windows: int (K,), indices of windows.
        shares: float64 (K,); those of one frame sum to 1. A frame that no window covers has none.
        num_frames: F, the length of the span.
    """

    positions: np.ndarray
    windows: np.ndarray
    shares: np.ndarray
    num_frames: int

    def mean(self, values: np.ndarray) -> np.ndarray:
        """float64 (F,): the weighted mean of ``values`` (W,) at each frame; 0 without a window."""
        weighted = self.shares * values[self.windows]
        return np.bincount(self.positions, weighted, self.num_frames)


class BlendedMap:
    """One series of maps at every frame of the span, on the layer's own cells.

    Frames are named by their index in the source. All numbers are in map units.

    Attributes:
        series: the maps that were blended.
        mass: float64 (F,), the mean of the positive part over the cells; 0 where no window covers
            the frame.
        peak: the largest value at any frame, at least 0. Between the centres of cells a map is
            interpolated linearly, so no pixel exceeds the largest cell.
        window_peaks: float64 (F,), the largest value of the windows around each frame, weighted.
        shares: how much each window contributes to each frame.
    """

    def __init__(self, explanation: Explanation, index: int, keep_cells: bool = True) -> None:
        """Blend map ``index`` at every frame.

        Args:
            explanation: what to draw.
            index: of the map in ``explanation.maps``.
            keep_cells: False blends a frame's cells anew each time they are asked for.
        """
        self.series = explanation.maps[index]
        self.first, stop = explanation.span
        self._blend = explanation.blend(index)
        self._seconds = seconds_of(explanation, range(self.first, stop))
        self._labels = explanation.labels
        length = len(self._seconds)
        shape = (length, *self.series.values.shape[2:])
        self._kept = np.zeros(shape, np.float32) if keep_cells else None
        self.mass = np.zeros(length)
        self.peak = 0.0
        self._nearest = np.full(length, -1)  # the window with the largest share
        self.shares = self._blend_all()
        self.window_peaks = self.shares.mean(window_peaks(self.series.values))
        self._scores = self._blended_scores(explanation)

    def cells(self, frame_index: int) -> Maps | None:
        """The signed map at a frame, float32 (H', W'); None where no window covers the frame."""
        position = frame_index - self.first
        if self._nearest[position] < 0:
            return None
        if self._kept is not None:
            return self._kept[position]
        return self._blend.at(self.series.values, float(self._seconds[position]))

    def score(self, frame_index: int) -> float | None:
        """The target's score in the windows around a frame; in that frame alone, if it is known."""
        position = frame_index - self.first
        return None if self._nearest[position] < 0 else float(self._scores[position])

    def label(self, frame_index: int) -> str:
        """What is explained at a frame: where windows differ, the class of the nearest one."""
        window = self._nearest[frame_index - self.first]
        if not self.series.class_ids or window < 0:
            return self.series.label
        return self._labels[self.series.class_ids[window]]

    def _blend_all(self) -> WindowShares:
        """Blend every frame once; fills mass, peak, the nearest windows and the kept cells."""
        positions, windows, shares = array("q"), array("q"), array("d")
        for position, instant in enumerate(self._seconds.tolist()):
            weights = self._blend.weights(instant)
            cells = self._blend.at(self.series.values, instant)
            if cells is None:
                continue
            for window, share, _ in weights:
                positions.append(position)
                windows.append(window)
                shares.append(share)
            self._nearest[position] = max(weights, key=lambda weight: weight[1])[0]
            if self._kept is not None:
                self._kept[position] = cells
            positive = cells.clip(min=0)
            self.mass[position] = positive.mean()
            self.peak = max(self.peak, float(positive.max()))
        columns = np.array(positions), np.array(windows), np.array(shares)
        return WindowShares(*columns, len(self.mass))

    def _blended_scores(self, explanation: Explanation) -> np.ndarray:
        """float64 (F,); 0 where no window covers the frame."""
        scores = self.series.frame_scores
        if scores is None or scores.shape[1] != len(self.series.centres.t):
            return self.shares.mean(explanation.window_scores(self.series))
        # One cell per sample: frames' own scores are blended as their cells are.
        blended = [self._blend.at(scores[:, :, None, None], float(s)) for s in self._seconds]
        return np.array([0.0 if score is None else float(score[0, 0]) for score in blended])


class BlendedMaps:
    """The blended maps of an explanation, each made when it is first asked for.

    Their cells are kept, as float32, up to MAX_KEPT_BYTES in all. Cells of further maps are blended
    anew where they are used: the same values, no more memory, and a small part of the time that
    drawing a frame takes.

    Attributes:
        explanation: whose maps they are.
    """

    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation
        self._blended: dict[int, BlendedMap] = {}
        self._bytes_left = MAX_KEPT_BYTES

    def __len__(self) -> int:
        return len(self.explanation.maps)

    def __getitem__(self, index: int) -> BlendedMap:
        if index not in self._blended:
            first, stop = self.explanation.span
            height, width = self.explanation.maps[index].values.shape[2:]
            size = 4 * (stop - first) * height * width
            fits = size <= self._bytes_left
            self._bytes_left -= size if fits else 0
            self._blended[index] = BlendedMap(self.explanation, index, keep_cells=fits)
        return self._blended[index]

    def __iter__(self) -> Iterator[BlendedMap]:
        return (self[index] for index in range(len(self)))

    def score_curves(self, targets: Sequence[MapTarget]) -> list[np.ndarray]:
        """For each target float64 (F,): its score in the windows around each frame of the span."""
        shares = self[0].shares
        return [shares.mean(self.explanation.class_scores(target)) for target in targets]


def seconds_of(explanation: Explanation, frame_indices: Iterable[int]) -> np.ndarray:
    """float64 (F,): the time stamps of source frames, in seconds."""
    return np.array([float(explanation.timeline.pts_seconds(i)) for i in frame_indices])
