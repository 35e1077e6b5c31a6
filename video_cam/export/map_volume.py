"""One map as a volume (T, H, W) on a regular grid, made frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from video_cam.errors import UsageError
from video_cam.export.results import Result
from video_cam.layers.alignment import grid_positions, interpolation_matrix
from video_cam.rendering.blended_maps import seconds_of
from video_cam.utils.names import check_names, check_positive

GRIDS = ("source", "cells")
MAX_BYTES = 2**31  # of one volume, which other programs read as a whole


@dataclass(frozen=True)
class Sampling:
    """Where a map is sampled.

    Attributes:
        grid: "source" for the whole source frame, "cells" for the map's own cells.
        every: every so many frames of the source, from the first explained one.
        max_side: samples on the longer side of the source frame at most; None for its pixels.
    """

    grid: str = "source"
    every: int = 1
    max_side: int | None = None

    def __post_init__(self) -> None:
        check_names("grid", [self.grid], GRIDS)
        check_positive(self, ("every", "max_side"))
        if self.grid == "cells" and self.max_side is not None:
            raise UsageError("max_side is for the grid source: leave it out with the grid cells")


class MapVolume:
    """The signed values of one map; frames are made one at a time, in bounded memory.

    Samples that the network did not see (outside of ``seen_box``, and frames of no window) are 0.

    Attributes:
        series: the maps of the windows.
        peak: the largest value at any frame of the clip, in map units; 0 where none is above 0.
        frame_indices: int64 (T,), of the source, counted from 0.
        pts_seconds: float64 (T,), their time stamps.
        covered: bool (T,), whether any window covers the frame.
        y, x: float64 (H,) and (W,), positions of the samples in source pixels; the centre of the
            first pixel is 0.
    """

    def __init__(self, result: Result, index: int, sampling: Sampling) -> None:
        """Prepare the interpolation.

        Args:
            result: of the clip.
            index: of the map.
            sampling: the grid.

        Raises:
            UsageError: for a volume of more than MAX_BYTES.
        """
        explanation = result.explanation
        self.series = explanation.maps[index]
        first, stop = explanation.span
        self.frame_indices = np.arange(first, stop, sampling.every)
        geometry, centres = explanation.geometry, self.series.centres
        self._interpolation: tuple[np.ndarray, np.ndarray] | None = None
        if sampling.grid == "cells":
            self.y = np.array([geometry.to_source(0, y + 0.5)[1] - 0.5 for y in centres.y])
            self.x = np.array([geometry.to_source(x + 0.5, 0)[0] - 0.5 for x in centres.x])
        else:
            height, width = geometry.source_height, geometry.source_width
            scale = min((sampling.max_side or max(height, width)) / max(height, width), 1)
            self.y = grid_positions(max(round(height * scale), 1), height)
            self.x = grid_positions(max(round(width * scale), 1), width)
            left, top, right, bottom = geometry.seen_box
            self._interpolation = (
                _matrix(
                    self.y,
                    top,
                    bottom,
                    lambda y: geometry.to_input(0, y)[1],
                    centres.y,
                    centres.nearest,
                ),
                _matrix(
                    self.x,
                    left,
                    right,
                    lambda x: geometry.to_input(x, 0)[0],
                    centres.x,
                    centres.nearest,
                ),
            )
        self._check_size()
        self._blended = result.maps[index]
        self.peak = self._blended.peak
        self.pts_seconds = seconds_of(explanation, self.frame_indices.tolist())
        self.covered = np.isin(self.frame_indices - first, self._blended.shares.positions)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, H, W)."""
        return len(self.frame_indices), len(self.y), len(self.x)

    def frame(self, position: int) -> np.ndarray:
        """float32 (H, W): the signed map at ``frame_indices[position]``, in map units."""
        cells = self._blended.cells(int(self.frame_indices[position]))
        if cells is None:
            return np.zeros(self.shape[1:], np.float32)
        if self._interpolation is None:
            return np.ascontiguousarray(cells, np.float32)
        rows, columns = self._interpolation
        return rows @ cells @ columns.T

    def heat(self, position: int) -> np.ndarray:
        """float32 (H, W) in [0, 1]: the positive part of ``frame`` divided by ``peak``."""
        return self.frame(position).clip(min=0) / np.float32(self.peak or 1)

    def _check_size(self) -> None:
        frames, height, width = self.shape
        size = 4 * frames * height * width
        if size > MAX_BYTES:
            raise UsageError(
                f"a volume of {frames} x {height} x {width} values takes {size / 2**30:.1f} GB, "
                f"and at most {MAX_BYTES / 2**30:.0f} GB are written: give --max-side "
                f"{max(height, width) // 4}, --every 4 or --grid cells"
            )


def describe(result: Result, volume: MapVolume) -> dict[str, Any]:
    """What a volume holds, in JSON's types."""
    explanation, series = result.explanation, volume.series
    return {
        "clip": explanation.clip.path,
        "model": explanation.model.name,
        "weights": explanation.model.weights,
        "trained": explanation.model.trained,
        "class_id": series.class_id,
        "label": series.label,
        "score": float(explanation.window_scores(series).mean()),
        "layer": series.layer,
        "method": series.method,
        "detail": series.detail,
        "values": "signed, in units of the score times activation; 0 where the network saw nothing",
        "peak": volume.peak,
        "seen_box": list(explanation.geometry.seen_box),
        "notes": [asdict(note) for note in explanation.notes],
    }


def _matrix(
    positions: np.ndarray,
    low: float,
    high: float,
    to_input: Callable[[float], float],
    centres: np.ndarray,
    nearest: bool,
) -> np.ndarray:
    """float32 (samples, cells): interpolation along one axis; rows outside of [low, high) are 0.

    Args:
        positions: of the samples, in source pixels; pixel i covers [i - 0.5, i + 0.5).
        low, high: what the network saw, counted from the edge of the first pixel.
        to_input: from the source to the network's input, both counted from the edge.
        centres: of the cells, in input pixels.
        nearest: as in ``CellCentres``.
    """
    inputs = np.array([to_input(position + 0.5) - 0.5 for position in positions])
    matrix = interpolation_matrix(centres, inputs, nearest)
    matrix[(positions + 0.5 < low) | (positions + 0.5 >= high)] = 0
    return matrix
