"""One map series on the source's frames: heat in whole source pixels, normalised over the video."""

from __future__ import annotations

import cv2
import numpy as np

from video_cam.explanation.blending import Maps
from video_cam.explanation.explanation import Explanation, MapSeries
from video_cam.layers.alignment import CellCentres, grid_positions, interpolation_matrix
from video_cam.models.preprocessing import Geometry

# A map changes over tens of pixels: on a large picture every fourth pixel is worked out, and what
# is between them is a picture enlarged.
GRAIN, FINE = 4, 200
_NOTHING = np.empty(0, np.float32)  # to be added to a product


class MapPainter:
    """The heat of map ``index`` at any instant; ``normalize``, a name, says what 1 is."""

    def __init__(self, explanation: Explanation, index: int, normalize: str) -> None:
        self.series: MapSeries = explanation.maps[index]
        self._blend = explanation.blend(index)
        rows, columns, self.box = spatial_matrices(explanation.geometry, self.series.centres)
        self._full = (rows, np.ascontiguousarray(columns.T))
        grain = 1 if self.series.centres.nearest or min(len(rows), len(columns)) < FINE else GRAIN
        self._coarse = (_coarser(rows, grain), np.ascontiguousarray(_coarser(columns, grain).T))
        self._probabilities = explanation.window_scores(self.series)
        self._labels = explanation.labels
        self._normalize = normalize
        self._window_peaks = self.series.values.clip(min=0).max((1, 2, 3))
        self._video_peak = 0.0

    def measure(self, seconds: np.ndarray) -> np.ndarray:
        """Look at every instant that will be drawn; returns the map mass at each, in map units.

        The mass is the mean of the positive part over the cells. Between the centres of cells a
        map is interpolated linearly, so the largest cell is the largest value anywhere.
        """
        mass = np.zeros(len(seconds))
        for i, instant in enumerate(seconds):
            cells = self._blend.at(self.series.values, float(instant))
            if cells is not None:
                positive = cells.clip(min=0)
                mass[i] = positive.mean()
                self._video_peak = max(self._video_peak, float(positive.max()))
        return mass

    def heat(self, seconds: float) -> Maps | None:
        """(box height, box width) in [0, 1] at an instant; None where no window covers it."""
        return self._heat(seconds, *self._full)

    def coarse_heat(self, seconds: float) -> Maps | None:
        """``heat`` on fewer pixels, of which a picture can be enlarged without anyone seeing it."""
        return self._heat(seconds, *self._coarse)

    def _heat(self, seconds: float, rows: Maps, columns: Maps) -> Maps | None:
        cells = self._blend.at(self.series.values, seconds)
        if cells is None:
            return None
        peak = self._peak(cells, seconds)
        if peak > 0:
            cells = cells / np.float32(peak)
        # OpenCV's product: BLAS would start threads that get into the network's way.
        product = cv2.gemm(cv2.gemm(rows, cells, 1, _NOTHING, 0), columns, 1, _NOTHING, 0)
        return np.asarray(product).clip(min=0)

    def probability(self, seconds: float) -> float | None:
        """The class's probability in the windows that cover an instant; in its frame, if known."""
        weights = self._blend.weights(seconds)
        if not weights:
            return None
        frames = self.series.frame_scores
        if frames is not None and frames.shape[1] == len(self.series.centres.t):
            return float(sum(share * (cells @ frames[window]) for window, share, cells in weights))
        return float(sum(share * self._probabilities[window] for window, share, _ in weights))

    def label(self, seconds: float) -> str:
        """What is explained at an instant: where windows differ, the nearest one's class."""
        weights = self._blend.weights(seconds)
        if not self.series.class_ids or not weights:
            return self.series.label
        window, _, _ = max(weights, key=lambda weight: weight[1])
        return self._labels[self.series.class_ids[window]]

    def _peak(self, cells: Maps, seconds: float) -> float:
        if self._normalize == "frame":
            return float(cells.max())
        if self._normalize == "window":
            weights = self._blend.weights(seconds)
            return float(sum(share * self._window_peaks[window] for window, share, _ in weights))
        return self._video_peak


def spatial_matrices(
    geometry: Geometry, centres: CellCentres
) -> tuple[Maps, Maps, tuple[int, int, int, int]]:
    """(rows, columns, box): rows @ map @ columns.T is the map on the source pixels of the box.

    rows: (box height, H'), columns: (box width, W'), box: left, top, right, bottom in whole source
    pixels, those whose centre the network saw.
    """
    left, top, right, bottom = geometry.seen_box
    xs = _pixels_between(left, right, geometry.source_width)
    ys = _pixels_between(top, bottom, geometry.source_height)
    # A pixel's centre is half a pixel into it, on the source as on the network's input.
    columns = np.array([geometry.to_input(x + 0.5, 0)[0] - 0.5 for x in xs])
    rows = np.array([geometry.to_input(0, y + 0.5)[1] - 0.5 for y in ys])
    box = (xs.start, ys.start, xs.stop, ys.stop)
    return (
        interpolation_matrix(centres.y, rows, centres.nearest),
        interpolation_matrix(centres.x, columns, centres.nearest),
        box,
    )


def _coarser(matrix: Maps, grain: int) -> Maps:
    """Rows for samples of ``grain`` pixels each, at the places that enlarging takes them for."""
    length = len(matrix)
    positions = grid_positions(-(-length // grain), length)
    return (interpolation_matrix(np.arange(length), positions) @ matrix) if grain > 1 else matrix


def _pixels_between(low: float, high: float, size: int) -> range:
    """The pixels of an axis whose centre lies in [low, high)."""
    inside = [i for i in range(size) if low <= i + 0.5 < high]
    return range(inside[0], inside[-1] + 1) if inside else range(0)
