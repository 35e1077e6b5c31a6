"""Blend the signed maps of overlapping windows into one map at any time of the clip.

Within a window a map is interpolated linearly between the centres of its cells. Where windows
overlap, their maps are averaged with weights that fall off smoothly towards the window's ends.
Both steps are linear, so signs and units are kept: ReLU and normalisation come afterwards.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from video_cam.explanation.quantised_maps import QuantisedMaps
from video_cam.layers.alignment import Positions, interpolation_matrix

# float32 (W, T', H', W'): the signed maps of W windows, each on a layer's grid of cells.
Maps = np.ndarray


class WindowWeight(NamedTuple):
    """How much one window contributes at one time.

    Attributes:
        window: the window's number.
        share: weight of the window, in (0, 1]; the shares of all windows sum to 1.
        cells: float32 (T',), weights of the window's cells in time; they sum to 1.
    """

    window: int
    share: float
    cells: np.ndarray


class WindowBlender:
    """Blends the maps of a clip's windows into one map at any time.

    The weight of a window is sin^2: 1 in its middle, 0 one sample before its first sample and one
    sample after its last, so that windows side by side leave no gap.
    """

    def __init__(
        self,
        sample_seconds: np.ndarray,
        cell_centres: Positions,
        nearest: bool = False,
        step_seconds: float | None = None,
        limits: np.ndarray | None = None,
    ) -> None:
        """Prepare the blending of windows that have the same layer's cells.

        Args:
            sample_seconds: float64 (W, N), time stamps of each window's frames, windows in order
                of time.
            cell_centres: float64 (T',), positions of the cells in time, in samples of the window.
            nearest: take the nearest cell instead of interpolating between two.
            step_seconds: from one sample to the next; None for the usual distance of the stamps.
            limits: float64 (W, 2), [start, end) in seconds: a window has no weight outside, for
                example beyond a cut.
        """
        self._num_samples = sample_seconds.shape[1]
        self._cell_centres, self._nearest, self._limits = cell_centres, nearest, limits
        step = step_seconds or _typical_step(sample_seconds)
        self._sample_times = [_SampleTimes.of(row, step) for row in sample_seconds]
        self._starts = (sample_seconds[:, 0] - step).tolist()
        self._ends = (sample_seconds[:, -1] + step).tolist()
        self._last: tuple[float, list[WindowWeight]] | None = None

    def weights(self, seconds: float) -> list[WindowWeight]:
        """The windows that contribute at a time, and their cells.

        Empty where no window covers that time: the network did not see it.
        """
        # Drawing one frame asks for the same time more than once.
        if self._last is None or self._last[0] != seconds:
            self._last = seconds, self._weights(seconds)
        return self._last[1]

    def at(self, values: Maps | QuantisedMaps, seconds: float) -> np.ndarray | None:
        """The blended map at a time.

        Args:
            values: (W, T', H', W'), the maps of all windows, as ``MapSeries`` holds them.
            seconds: on the clock of ``sample_seconds``.

        Returns:
            Signed float32 (H', W'), or None where no window covers that time.
        """
        weights = self.weights(seconds)
        if not weights:
            return None
        blended = np.zeros(values.shape[2:], np.float32)
        for window, share, cells in weights:
            blended += np.float32(share) * np.tensordot(cells, values[window], 1)
        return blended

    def _weights(self, seconds: float) -> list[WindowWeight]:
        low = bisect_left(self._ends, seconds)
        high = bisect_right(self._starts, seconds)
        near = [w for w in range(low, high) if self._is_within_limits(w, seconds)]
        positions = {w: self._sample_times[w].position_at(seconds) for w in near}
        tapers = {w: self._taper(position) for w, position in positions.items()}
        total = sum(tapers.values())
        return [
            WindowWeight(w, tapers[w] / total, self._cell_weights(position))
            for w, position in positions.items()
            if tapers[w] > 0
        ]

    def _is_within_limits(self, window: int, seconds: float) -> bool:
        if self._limits is None:
            return True
        start, end = self._limits[window]
        return bool(start <= seconds < end)

    def _taper(self, position: float) -> float:
        """The window's weight at a sample position, before all weights are scaled to sum to 1."""
        phase = (position + 1) / (self._num_samples + 1)
        return float(np.sin(np.pi * phase) ** 2) if 0 < phase < 1 else 0.0

    def _cell_weights(self, position: float) -> np.ndarray:
        return interpolation_matrix(self._cell_centres, np.array([position]), self._nearest)[0]


@dataclass(frozen=True)
class _SampleTimes:
    """Converts seconds to sample positions within one window.

    A frame that was sampled several times in a row has the position in the middle of its samples.
    Before the first time stamp and after the last one, a sample lasts ``step_seconds``, counted
    from the window's first and last sample. So a window that repeats one frame does not reach far
    back in time.

    Attributes:
        seconds: float64 (K,), the distinct time stamps of the window.
        positions: float64 (K,), the sample positions at these time stamps.
        last_sample: the number of the window's last sample.
        step_seconds: from one sample to the next; infinite for a still image.
    """

    seconds: np.ndarray
    positions: Positions
    last_sample: int
    step_seconds: float

    @classmethod
    def of(cls, sample_seconds: np.ndarray, step_seconds: float) -> _SampleTimes:
        seconds, first, counts = np.unique(sample_seconds, return_index=True, return_counts=True)
        return cls(seconds, first + (counts - 1) / 2, len(sample_seconds) - 1, step_seconds)

    def position_at(self, seconds: float) -> float:
        if np.isfinite(self.step_seconds):
            if seconds < self.seconds[0]:
                return float((seconds - self.seconds[0]) / self.step_seconds)
            if seconds > self.seconds[-1]:
                return float(self.last_sample + (seconds - self.seconds[-1]) / self.step_seconds)
        return float(np.interp(seconds, self.seconds, self.positions))


def _typical_step(sample_seconds: np.ndarray) -> float:
    """Median seconds per sample; infinite for a still image.

    Windows of one frame give no spacing of their own: then it is the spacing of the windows.
    """
    lengths = sample_seconds[:, -1] - sample_seconds[:, 0]
    per_sample = lengths / max(sample_seconds.shape[1] - 1, 1)
    for spacing in (per_sample, np.diff(sample_seconds[:, 0])):
        positive = spacing[spacing > 0]
        if len(positive):
            return float(np.median(positive))
    return float("inf")
