"""Maps as NIfTI volumes, for viewers of medical images.

The header is NIfTI-1's (https://nifti.nimh.nih.gov/nifti-1), NIfTI-2's for more than 32,767 frames.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from video_cam.errors import ClipError, UsageError
from video_cam.export.export_folder import Exported, export_with
from video_cam.export.map_volume import MapVolume, Sampling, describe
from video_cam.export.results import Result
from video_cam.rendering.annotated_video import map_name
from video_cam.utils.extras import import_extra
from video_cam.utils.files import StrPath
from video_cam.utils.reporter import Reporter
from video_cam.video.dicom_spacing import pixel_spacing

FRAMES_FILE = "frames.nii.gz"
_MAX_NIFTI1_SIDE = 32_767  # sizes are 16-bit numbers
_LEVEL = 1  # of gzip
_REGULAR = 1e-3  # of a sample's width, by which samples may differ from even steps
NO_SPACING = (
    "the source's pixel spacing is not known, so a pixel is 1 mm high in the NIfTI headers: give "
    "--spacing for its true size"
)
UNEVEN_TIME = (
    "the source's frames are not evenly spaced in time: the header has the mean time step, and "
    "pts_seconds in the .json file the true times"
)


@dataclass(frozen=True)
class NiftiOptions:
    """How volumes are written.

    Attributes:
        spacing: (height, width) of a source pixel in mm; None for what a DICOM file says, else 1.
        with_frames: also write the source's frames, in grey, on the same grid.
    """

    spacing: tuple[float, float] | None = None
    with_frames: bool = False

    def __post_init__(self) -> None:
        for value in self.spacing or ():
            if not 0 < value < float("inf"):
                raise UsageError(f"spacing {value} must be above 0, in mm")


def to_nifti(
    results: StrPath,
    output: StrPath | None = None,
    *,
    maps: Sequence[int] = (),
    grid: str = Sampling.grid,
    every: int = Sampling.every,
    max_side: int | None = None,
    spacing: tuple[float, float] | None = None,
    with_frames: bool = False,
    reporter: Reporter | None = None,
) -> Exported:
    """Write one .nii.gz file and one .json file for each map.

    A volume is float32 (W, H, 1, T): columns, rows, one slice, frames; signed, in map units;
    ``cal_max`` is the map's peak. The affine leads from samples to mm, with the centre of the
    source's upper left pixel at 0, columns to the patient's left and rows to the back, as a DICOM
    image with the orientation 1\\0\\0\\0\\1\\0. Volumes of one clip lie over one another whatever
    their grid. The fourth voxel size is the time step in seconds, ``toffset`` the first frame's.

    Args:
        results: the folder of a run or of one clip, as in ``to_npz``.
        output: the folder to write, as in ``to_npz``.
        maps: which maps, as in ``to_npz``.
        grid: as in ``to_npz``; "cells" takes cells at even steps.
        every: every so many frames of the source.
        max_side: of the source's frame, in samples, as in ``to_npz``.
        reporter: is told of clips that are left out, as in ``to_npz``; None raises.
        spacing: (height, width) of a source pixel in mm; None for what a DICOM file says, else a
            pixel is 1 mm high.
        with_frames: also write the source's frames in grey, uint8, as frames.nii.gz.

    Raises:
        UsageError: without nibabel, and as ``to_npz``.
    """
    import_extra("nibabel", "nifti")
    options = NiftiOptions(spacing, with_frames)
    writer = _NiftiWriter(Sampling(grid, every, max_side), options)
    return export_with(writer, results, output, maps, reporter)


class _NiftiWriter:
    format = "nifti"

    def __init__(self, sampling: Sampling, options: NiftiOptions) -> None:
        self.notes: list[str] = []
        self._sampling, self._options = sampling, options

    def add(self, result: Result, folder: Path) -> None:
        spacing, is_known = self._spacing(result)
        for index in result.chosen_maps:
            volume = MapVolume(result, index, self._sampling)
            grid = _Grid(volume, spacing)
            path = folder / f"{index}_{map_name(volume.series)}.nii.gz"
            frames = (volume.frame(position) for position in range(len(volume.frame_indices)))
            _write(path, grid.header("<f4", volume.peak), frames)
            side = describe(result, volume) | {
                "pixel_spacing_mm": list(spacing) if is_known else None,
                "frame_indices": volume.frame_indices.tolist(),
                "pts_seconds": volume.pts_seconds.tolist(),
                "uncovered_frames": volume.frame_indices[~volume.covered].tolist(),
            }
            path.with_name(path.name.removesuffix(".nii.gz") + ".json").write_text(
                json.dumps(side, indent=2)
            )
            if not grid.is_even_in_time:
                self.notes.append(UNEVEN_TIME)
        if not is_known:
            self.notes.append(NO_SPACING)
        if self._options.with_frames:
            grid = _Grid(MapVolume(result, result.chosen_maps[0], self._frame_sampling()), spacing)
            _write(folder / FRAMES_FILE, grid.header("u1", 255), _grey(result, grid.volume))

    def finish(self, folder: Path) -> None:
        pass

    def _frame_sampling(self) -> Sampling:
        """Frames have no cells: they are written at their own pixels then."""
        return Sampling("source", self._sampling.every, self._sampling.max_side)

    def _spacing(self, result: Result) -> tuple[tuple[float, float], bool]:
        """(height, width) of a source pixel in mm, and whether it is known."""
        if self._options.spacing is not None:
            return self._options.spacing, True
        found = pixel_spacing(Path(result.explanation.clip.path))
        if found is not None:
            return found, True
        return (1.0, float(result.explanation.clip.sample_aspect_ratio)), False


class _Grid:
    """Where the samples of a volume are, in mm and seconds."""

    def __init__(self, volume: MapVolume, spacing: tuple[float, float]) -> None:
        self.volume = volume
        (self._y, self._dy), (self._x, self._dx) = (
            _even(positions, unit)
            for positions, unit in zip((volume.y, volume.x), spacing, strict=True)
        )
        seconds = volume.pts_seconds
        steps = np.diff(seconds)
        # One frame has no step: any time that is not 0 will do.
        self._dt = float(steps.mean()) if len(steps) else 1.0
        self._start = float(seconds[0])
        # Time stamps of most containers are rounded to a millisecond or less.
        self.is_even_in_time = not len(steps) or float(np.ptp(steps)) < 0.0025

    def header(self, dtype: str, peak: float) -> Any:
        """The header of a volume on this grid.

        Args:
            dtype: of the values.
            peak: the value of full brightness.
        """
        nibabel = import_extra("nibabel", "nifti")
        frames, height, width = self.volume.shape
        is_large = max(self.volume.shape) > _MAX_NIFTI1_SIDE
        header = (nibabel.Nifti2Header if is_large else nibabel.Nifti1Header)()
        header.set_data_dtype(dtype)
        header.set_data_shape((width, height, 1, frames))
        header.set_zooms((self._dx, self._dy, 1.0, self._dt))
        header.set_xyzt_units("mm", "sec")
        affine = np.diag([-self._dx, -self._dy, 1.0, 1.0])
        affine[:2, 3] = -self._x, -self._y
        header.set_sform(affine, "aligned")
        header.set_qform(affine, "aligned")
        header["cal_max"], header["toffset"] = peak, self._start
        return header


def _even(positions: np.ndarray, unit: float) -> tuple[float, float]:
    """The first of evenly spaced positions and their step, both times ``unit``."""
    steps = np.diff(positions)
    step = float(steps.mean()) if len(steps) else 1.0
    if len(steps) and float(np.abs(steps - step).max()) > _REGULAR * step:
        raise UsageError(
            "the map's cells are not evenly spaced, which no affine describes: leave out --grid "
            "cells"
        )
    return float(positions[0]) * unit, step * unit


def _write(path: Path, header: Any, frames: Iterator[np.ndarray]) -> None:
    """Write a volume with one frame in memory at a time.

    Args:
        path: .nii.gz
        header: of nibabel.
        frames: (H, W) each. The first axis of a volume changes fastest, which is the column here.
    """
    header.set_data_offset(header.single_vox_offset)
    dtype = header.get_data_dtype()
    with path.open("wb") as file, gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
        header.write_to(packed)  # and the four bytes that stand for no extension
        for frame in frames:
            packed.write(np.ascontiguousarray(frame, dtype).tobytes())


def _grey(result: Result, volume: MapVolume) -> Iterator[np.ndarray]:
    """uint8 (H, W): the source's frames in grey, at the samples of a volume."""
    wanted = volume.frame_indices.tolist()
    height, width = volume.shape[1:]
    missing = set(wanted)
    with result.clip.frames(wanted[0], wanted[-1] + 1) as reader:
        for frame in reader:
            if frame.index in missing:
                missing.remove(frame.index)
                grey = cv2.cvtColor(frame.rgb(), cv2.COLOR_RGB2GRAY)
                yield cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    if missing:
        raise ClipError(f"{result.clip.path}: frame {min(missing)} cannot be read any more")
