"""A blended map on the source's pixels: heat in [0, 1], normalised over the video or less."""

from __future__ import annotations

import cv2
import numpy as np

from video_cam.explanation.blending import Maps
from video_cam.layers.alignment import CellCentres, grid_positions, interpolation_matrix
from video_cam.models.preprocessing import Geometry
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.overlay import Box, Heat

# A map changes over tens of pixels. On large frames every fourth pixel of it is computed, and the
# coloured picture is enlarged; more of them where the cells are small.
COARSE_STEP = 4  # pixels
MIN_SAMPLES_PER_CELL = 4
MIN_COARSE_SIDE = 200  # pixels; every pixel is computed where the shorter side has fewer
_NO_SUMMAND = np.empty(0, np.float32)  # for cv2.gemm, which can also add a matrix


class HeatMapper:
    """Brings the cells of one map to the source's pixels and normalises them.

    Attributes:
        blended: the map.
        box: the source pixels whose centre the network saw: left, top, right, bottom.
    """

    def __init__(
        self,
        blended: BlendedMap,
        geometry: Geometry,
        normalize: str,
        video_peak: float | None = None,
    ) -> None:
        """Prepare the interpolation.

        Args:
            blended: the map, at every frame.
            geometry: where the network's input lies on the source.
            normalize: what has heat 1: the largest value in the "video", in the "window" (of the
                windows around the frame, weighted) or in the "frame".
            video_peak: the value, in map units, that has heat 1 in place of the largest in the
                "video"; None for that.
        """
        self.blended = blended
        self._normalize = normalize
        self._video_peak = blended.peak if video_peak is None else video_peak
        centres = blended.series.centres
        rows, columns, self.box = spatial_matrices(geometry, centres)
        self._full = (rows, np.ascontiguousarray(columns.T))
        is_small = min(len(rows), len(columns)) < MIN_COARSE_SIDE
        step = 1 if centres.nearest or is_small else coarse_step(rows, columns)
        self._coarse = (_coarser(rows, step), np.ascontiguousarray(_coarser(columns, step).T))

    def heat(self, frame_index: int) -> Heat | None:
        """The heat at a source frame, float32 (box height, box width) in [0, 1].

        None where no window covers the frame.
        """
        return self._heat(frame_index, *self._full)

    def coarse_heat(self, frame_index: int) -> Heat | None:
        """``heat`` at every fourth pixel of a large box; enlarged, it looks the same."""
        return self._heat(frame_index, *self._coarse)

    def _heat(self, frame_index: int, rows: Maps, columns: Maps) -> Heat | None:
        cells = self.blended.cells(frame_index)
        if cells is None:
            return None
        peak = self._peak(cells, frame_index)
        if peak > 0:
            cells = cells / np.float32(peak)
        # OpenCV's product: BLAS would start threads, which slow the network's threads down.
        across = cv2.gemm(rows, cells, 1, _NO_SUMMAND, 0)
        return np.asarray(cv2.gemm(across, columns, 1, _NO_SUMMAND, 0)).clip(min=0)

    def _peak(self, cells: Maps, frame_index: int) -> float:
        """The value, in map units, that has heat 1."""
        if self._normalize == "frame":
            return float(cells.max())
        if self._normalize == "window":
            return float(self.blended.window_peaks[frame_index - self.blended.first])
        return self._video_peak


def spatial_matrices(
    geometry: Geometry, centres: CellCentres
) -> tuple[np.ndarray, np.ndarray, Box]:
    """Linear interpolation from a layer's cells to the source pixels that the network saw.

    Args:
        geometry: where the network's input lies on the source.
        centres: of the cells, in pixels of the network's input.

    Returns:
        rows: float32 (box height, H').
        columns: float32 (box width, W'); rows @ map @ columns.T is the map on the box.
        box: left, top, right, bottom in source pixels: those whose centre the network saw.
    """
    left, top, right, bottom = geometry.seen_box
    xs = _pixels_between(left, right, geometry.source_width)
    ys = _pixels_between(top, bottom, geometry.source_height)
    # A pixel's centre is half a pixel from its edge, on the source as on the network's input.
    columns = np.array([geometry.to_input(x + 0.5, 0)[0] - 0.5 for x in xs])
    rows = np.array([geometry.to_input(0, y + 0.5)[1] - 0.5 for y in ys])
    box = (xs.start, ys.start, xs.stop, ys.stop)
    return (
        interpolation_matrix(centres.y, rows, centres.nearest),
        interpolation_matrix(centres.x, columns, centres.nearest),
        box,
    )


def coarse_step(rows: Maps, columns: Maps) -> int:
    """How many pixels one sample of a large heat may stand for, 1 to COARSE_STEP.

    Args:
        rows, columns: (pixels, cells) for each axis of the box.
    """
    pixels_per_cell = min(len(axis) / axis.shape[1] for axis in (rows, columns))
    return min(max(int(pixels_per_cell / MIN_SAMPLES_PER_CELL), 1), COARSE_STEP)


def _coarser(matrix: Maps, step: int) -> Maps:
    """The rows of samples that are ``step`` pixels wide, where enlarging expects their centres."""
    if step == 1:
        return matrix
    length = len(matrix)
    positions = grid_positions(-(-length // step), length)
    return interpolation_matrix(np.arange(length), positions) @ matrix


def _pixels_between(low: float, high: float, size: int) -> range:
    """The pixels of an axis whose centre lies in [low, high)."""
    inside = [i for i in range(size) if low <= i + 0.5 < high]
    return range(inside[0], inside[-1] + 1) if inside else range(0)
