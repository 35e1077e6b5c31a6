"""Maps as NumPy archives: a signed volume and the positions of its samples."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from video_cam.export.export_folder import Exported, export_with
from video_cam.export.map_volume import MapVolume, Sampling, describe
from video_cam.export.results import Result
from video_cam.rendering.annotated_video import map_name
from video_cam.utils.files import StrPath
from video_cam.utils.reporter import Reporter

_LEVEL = 1  # of deflate: values are smooth, and higher levels take long for little


def to_npz(
    results: StrPath,
    output: StrPath | None = None,
    *,
    maps: Sequence[int] = (),
    grid: str = Sampling.grid,
    every: int = Sampling.every,
    max_side: int | None = None,
    reporter: Reporter | None = None,
) -> Exported:
    """Write one .npz file for each map, that is, for each target, layer and method.

    Its arrays: ``values`` float32 (T, H, W), signed, in map units; ``frame_indices`` int64 (T,)
    of the source; ``pts_seconds`` float64 (T,); ``covered`` bool (T,), whether a window covers the
    frame; ``y_pixels`` (H,) and ``x_pixels`` (W,), the samples' positions in source pixels, where
    the centre of the first pixel is 0; ``peak``, which divides the positive part to give heat in
    [0, 1]; ``meta``, text of JSON.

    Args:
        results: the folder of one clip, or the output folder of a run.
        output: the folder to write; None for exports/<name of the results>-npz.
        maps: which of the maps, counted from 0; empty for all.
        grid: "source" for the source's pixels, "cells" for the map's own cells.
        every: every so many frames of the source.
        max_side: samples on the longer side of the frame at most; None for one for each pixel.
        reporter: is told of clips that cannot be exported, which are left out; None raises.

    Raises:
        UsageError: for wrong options, missing results, or a volume that is too large.
    """
    writer = _NpzWriter(Sampling(grid, every, max_side))
    return export_with(writer, results, output, maps, reporter)


class _NpzWriter:
    format = "npz"

    def __init__(self, sampling: Sampling) -> None:
        self.notes: list[str] = []
        self._sampling = sampling

    def add(self, result: Result, folder: Path) -> None:
        for index in result.chosen_maps:
            volume = MapVolume(result, index, self._sampling)
            path = folder / f"{index}_{map_name(volume.series)}.npz"
            with path.open("wb") as file:
                _write(file, volume, json.dumps(describe(result, volume)))

    def finish(self, folder: Path) -> None:
        pass


def _write(file: IO[bytes], volume: MapVolume, meta: str) -> None:
    """Write the archive with one frame in memory at a time."""
    small = {
        "frame_indices": volume.frame_indices,
        "pts_seconds": volume.pts_seconds,
        "covered": volume.covered,
        "y_pixels": volume.y,
        "x_pixels": volume.x,
        "peak": np.array(volume.peak),
        "meta": np.array(meta),
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        with archive.open("values.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": volume.shape}
            np.lib.format.write_array_header_1_0(member, header)
            for position in range(len(volume.frame_indices)):
                member.write(volume.frame(position).astype("<f4").tobytes())
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
