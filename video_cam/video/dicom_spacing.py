"""The size of a DICOM file's pixels, as its header says.

The parts of the standard that are meant: PS3.3 10.7.1 (pixel spacing), C.8.5.5 (regions of
ultrasound).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from video_cam.errors import ClipError, first_line
from video_cam.utils.names import printable_path
from video_cam.video.dicom import INSTALL, START, START_AT, is_dicom

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing")
_CENTIMETRES = 3  # PhysicalUnitsXDirection


def pixel_spacing(path: Path) -> tuple[float, float] | None:
    """(height, width) of a pixel in mm.

    Args:
        path: of a clip.

    Returns:
        None where the clip is no DICOM file, or its header does not say.

    Raises:
        ClipError: for a DICOM file that cannot be read.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if not is_dicom(path, file.read(START_AT + len(START))):
            return None
    try:
        import pydicom
    except ImportError as error:
        raise ClipError(
            f"{printable_path(path)}: a DICOM file, which pydicom reads: {INSTALL}"
        ) from error
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        return _spacing_of(header)
    except (pydicom.errors.InvalidDicomError, OSError, ValueError, TypeError) as error:
        raise ClipError(
            f"{printable_path(path)}: a DICOM file that cannot be read ({first_line(error)})"
        ) from error


_TAGS = [*_SPACINGS, "SharedFunctionalGroupsSequence", "SequenceOfUltrasoundRegions"]


def _spacing_of(header: Any) -> tuple[float, float] | None:
    shared = header.get("SharedFunctionalGroupsSequence") or [{}]
    measures = shared[0].get("PixelMeasuresSequence") or [{}]
    for source in (header, measures[0]):
        for name in _SPACINGS:
            values = source.get(name)
            if values and len(values) == 2 and min(map(float, values)) > 0:
                return float(values[0]), float(values[1])
    regions = header.get("SequenceOfUltrasoundRegions") or ()
    # Regions of spectra and of M-mode have seconds on one axis.
    found = {_of_region(region) for region in regions if _is_in_centimetres(region)}
    return found.pop() if len(found) == 1 else None


def _is_in_centimetres(region: Any) -> bool:
    names = ("PhysicalUnitsXDirection", "PhysicalUnitsYDirection")
    return all(region.get(name) == _CENTIMETRES for name in names)


def _of_region(region: Any) -> tuple[float, float]:
    return 10 * abs(float(region.PhysicalDeltaY)), 10 * abs(float(region.PhysicalDeltaX))
