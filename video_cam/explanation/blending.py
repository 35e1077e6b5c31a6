"""The signed maps of overlapping windows as one map at any instant of the clip.

Within a window a map is interpolated linearly between the centres of its cells; where windows
overlap they are averaged with a smooth taper. Both are linear, so signs and units survive: the
ReLU and the normalisation come after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np

from video_cam.layers.alignment import Positions, interpolation_matrix

Maps = np.ndarray  # float32, signed


class TimeBlend:
    """Weights of windows and cells at an instant.

    sample_seconds: float64 (W, N), the time stamps of each window's frames, windows in order of
    time. cell_centres: (T',) in samples. nearest: no interpolation between cells. step_seconds:
    from one sample to the next, by default the usual distance of the stamps. limits: float64
    (W, 2), [start, end) seconds beyond which a window says nothing, as at a cut.
    """

    def __init__(
        self,
        sample_seconds: np.ndarray,
        cell_centres: Positions,
        nearest: bool = False,
        step_seconds: float | None = None,
        limits: np.ndarray | None = None,
    ) -> None:
        self._num_samples = sample_seconds.shape[1]
        self._cell_centres, self._nearest, self._limits = cell_centres, nearest, limits
        step = step_seconds or _typical_step(sample_seconds)
        self._knots = [_Knots.of(row, step) for row in sample_seconds]
        # A window's taper reaches one sample beyond its ends, so that windows side by side meet.
        self._starts = (sample_seconds[:, 0] - step).tolist()
        self._ends = (sample_seconds[:, -1] + step).tolist()
        self._last: tuple[float, list[tuple[int, float, Maps]]] | None = None

    def weights(self, seconds: float) -> list[tuple[int, float, Maps]]:
        """(window, its share, the weights of its cells (T',)) at an instant; the shares sum to 1.

        Empty where no window covers the instant: the network did not see it.
        """
        # Drawing a frame asks several times for the same instant.
        if self._last is None or self._last[0] != seconds:
            self._last = seconds, self._weights(seconds)
        return self._last[1]

    def _weights(self, seconds: float) -> list[tuple[int, float, Maps]]:
        low = bisect_left(self._ends, seconds)
        high = bisect_right(self._starts, seconds)
        near = [w for w in range(low, high) if self._may_speak(w, seconds)]
        positions = {w: self._knots[w].position_at(seconds) for w in near}
        tapers = {w: self._taper(p) for w, p in positions.items()}
        total = sum(tapers.values())
        if total <= 0:
            return []
        return [
            (w, tapers[w] / total, self._cells(p)) for w, p in positions.items() if tapers[w] > 0
        ]

    def at(self, values: Maps, seconds: float) -> Maps | None:
        """The blended signed map (H', W') of ``values`` (W, T', H', W'); None where unseen."""
        weights = self.weights(seconds)
        if not weights:
            return None
        blended = np.zeros(values.shape[2:], np.float32)
        for window, share, cells in weights:
            blended += np.float32(share) * np.tensordot(cells, values[window], 1)
        return blended

    def _may_speak(self, window: int, seconds: float) -> bool:
        if self._limits is None:
            return True
        start, end = self._limits[window]
        return bool(start <= seconds < end)

    def _taper(self, position: float) -> float:
        """sin^2 over the window: 0 one sample outside either end, 1 in the middle."""
        phase = (position + 1) / (self._num_samples + 1)
        return float(np.sin(np.pi * phase) ** 2) if 0 < phase < 1 else 0.0

    def _cells(self, position: float) -> Maps:
        return interpolation_matrix(self._cell_centres, np.array([position]), self._nearest)[0]


@dataclass(frozen=True)
class _Knots:
    """Distinct time stamps of a window and the sample positions they stand for.

    A frame that was sampled several times in a row stands at the middle of its run. Before the
    first stamp and after the last it is ``step`` seconds from sample to sample, counted from the
    window's own ends: a window of one held frame saw nothing of what was before it.
    """

    stamps: Positions
    positions: Positions
    last: int  # sample
    step: float

    @classmethod
    def of(cls, seconds: Positions, step: float) -> _Knots:
        stamps, first, counts = np.unique(seconds, return_index=True, return_counts=True)
        return cls(stamps, first + (counts - 1) / 2, len(seconds) - 1, step)

    def position_at(self, seconds: float) -> float:
        # A still image is one map at any time.
        if np.isfinite(self.step):
            if seconds < self.stamps[0]:
                return float((seconds - self.stamps[0]) / self.step)
            if seconds > self.stamps[-1]:
                return float(self.last + (seconds - self.stamps[-1]) / self.step)
        return float(np.interp(seconds, self.stamps, self.positions))


def _typical_step(sample_seconds: np.ndarray) -> float:
    """Seconds per sample for windows that hold one frame only; endless for a still image."""
    lengths = sample_seconds[:, -1] - sample_seconds[:, 0]
    per_sample = lengths / max(sample_seconds.shape[1] - 1, 1)
    for spacing in (per_sample, np.diff(sample_seconds[:, 0])):
        positive = spacing[spacing > 0]
        if len(positive):
            return float(np.median(positive))
    return float("inf")
