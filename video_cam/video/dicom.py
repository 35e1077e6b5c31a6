"""Clips in DICOM files, as ultrasound and angiography store them, through pydicom.

The parts of the standard that are meant: PS3.3 C.7.6.5 and C.7.6.6 (cine and its times), C.11.2
(which stored values are shown as black and white).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError, first_line
from video_cam.utils.names import printable_path
from video_cam.video.color import RGBImage
from video_cam.video.levels import Levels, notes, to_levels
from video_cam.video.limits import check_count, check_size
from video_cam.video.picture_source import NO_RATE, PictureSource, at_rate, at_usual_rate, by_index
from video_cam.video.timeline import Timeline

SUFFIXES = (".dcm", ".dicom")
START, START_AT = b"DICM", 128  # PS3.10, 7.1
INSTALL = "pip install 'pydicom>=3'"
INSTALL_DECODERS = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
VIDEO_SYNTAX = "1.2.840.10008.1.2.4.10"  # MPEG-2, H.264 and HEVC: .4.100 to .4.108
DEFLATED = "1.2.840.10008.1.2.1.99"
MICROSECOND = Fraction(1, 1_000_000)


def is_dicom(path: Path, start: bytes) -> bool:
    """Whether a file that begins with these bytes is DICOM, or is named so."""
    return _is_marked(start) or path.suffix.lower() in SUFFIXES


def _is_marked(start: bytes) -> bool:
    return start[START_AT:].startswith(START)


def open_dicom(
    path: Path, start: bytes, limits: LimitsConfig, levels: Levels | None
) -> PictureSource:
    """The pictures of a DICOM file that begins with these bytes.

    Raises:
        ClipError: without pydicom, for a file without pictures, or one beyond the limits.
    """
    if not _is_marked(start):
        raise ClipError(
            f"{printable_path(path)}: no DICOM file, or an old one without a header; write it "
            "again with one, as with dcmconv"
        )
    with _told(path):
        header = _header(path)
        count, rows, columns = _shape(header)
    if not rows or not columns:
        raise ClipError(f"{printable_path(path)}: a DICOM file without pictures")
    check_count(path, count, limits)
    check_size(path, columns, rows, limits)
    with _told(path):
        if str(header.file_meta.TransferSyntaxUID).startswith(VIDEO_SYNTAX):
            raise ClipError(
                f"{printable_path(path)}: holds a compressed video, which is not read; extract it, "
                "as with dcm2video or gdcmraw, and give the video"
            )
        timeline = _timeline(header, count)
        chosen = _levels(header, levels)

    def read(index: int) -> RGBImage:
        with _told(path):
            return _picture(path, header, index, chosen)

    return PictureSource(
        timeline or at_usual_rate(count),
        (columns, rows),
        by_index(read),
        is_still=count == 1,
        levels=chosen,
        conversions=(
            *(() if timeline or count == 1 else (NO_RATE,)),
            *notes(chosen, _type(header)),
        ),
    )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Raise ClipError for what is wrong with a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on elements that are not needed here
            yield
    except ClipError:
        raise
    except ImportError as error:
        raise ClipError(
            f"{printable_path(path)}: a DICOM file, which pydicom reads: {INSTALL}"
        ) from error
    except Exception as error:  # a damaged header can make pydicom raise anything
        text = first_line(error)
        hint = f"; its compression may need a decoder: {INSTALL_DECODERS}"
        is_compressed = "plugin" in str(error) or "decompress" in str(error)
        raise ClipError(
            f"{printable_path(path)}: a DICOM file that cannot be read ({text})"
            f"{hint if is_compressed else ''}"
        ) from error


def _header(path: Path) -> Any:
    import pydicom

    # Reading would unpack all of the file, whatever it unpacks to.
    meta = pydicom.filereader.read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") == DEFLATED:
        raise ClipError(
            f"{printable_path(path)}: a deflated DICOM file, which is not read; convert it to "
            "another transfer syntax, as with dcmconv"
        )
    return pydicom.dcmread(path, stop_before_pixels=True)


def _shape(header: Any) -> tuple[int, int, int]:
    """Number of pictures, rows and columns."""
    count = int(header.get("NumberOfFrames") or 1)
    return count, int(header.get("Rows") or 0), int(header.get("Columns") or 0)


def _timeline(header: Any, count: int) -> Timeline | None:
    """When the pictures are shown; None where the header does not say."""
    steps = [Fraction(str(step)) for step in header.get("FrameTimeVector") or ()]
    if len(steps) == count > 1:  # milliseconds from the picture before to each
        stamps = [round(stamp * 1000) for stamp in accumulate(steps[1:], initial=Fraction(0))]
        if all(later > earlier for earlier, later in pairwise(stamps)):
            return Timeline.from_stamps(stamps, MICROSECOND, None)
    if step := Fraction(str(header.get("FrameTime") or 0)):
        return at_rate(count, (1000 / step).limit_denominator(10_000))
    for name in ("RecommendedDisplayFrameRate", "CineRate"):
        if rate := Fraction(str(header.get(name) or 0)):
            return at_rate(count, rate)
    return None


def _levels(header: Any, known: Levels | None) -> Levels | None:
    """The header's window, else the range of the stored bits; None for 8 bits without a window.

    Windows are for gray alone (C.11.2). Where the rescale slope is negative, small stored values
    are the bright ones.
    """
    allocated = int(header.get("BitsAllocated") or 8)
    bits = int(header.get("BitsStored") or allocated)
    is_signed = bool(int(header.get("PixelRepresentation") or 0))
    if _is_palette(header):
        return None
    lowest = -(1 << bits - 1) if is_signed else 0
    stored = Levels(lowest, lowest + (1 << bits) - 1)
    if not _is_gray(header):
        return None if allocated <= 8 else stored
    slope = float(_element(header, "RescaleSlope", "PixelValueTransformationSequence") or 1)
    if known is not None and known.is_depth and allocated > 8:
        stored = known
    elif (edges := _window(header)) is not None:
        intercept = _element(header, "RescaleIntercept", "PixelValueTransformationSequence")
        black, white = ((edge - float(intercept or 0)) / slope for edge in edges)
        return Levels(black, white)
    if slope < 0:
        low, high = sorted(stored[:2])
        return stored._replace(black=high, white=low)
    return None if stored[:2] == (0, 255) else stored


def _type(header: Any) -> np.dtype:
    """Of the stored values."""
    num_bytes = 1 if int(header.get("BitsAllocated") or 8) <= 8 else 2
    return np.dtype(f"{'i' if header.get('PixelRepresentation') else 'u'}{num_bytes}")


def _window(header: Any) -> tuple[float, float] | None:
    """The rescaled values that the header's window shows as black and white (C.11.2.1.2)."""
    centre = _first(_element(header, "WindowCenter", "FrameVOILUTSequence"))
    width = _first(_element(header, "WindowWidth", "FrameVOILUTSequence"))
    if centre is None or width is None or width < 1:
        return None
    return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2


def _element(header: Any, name: str, group: str) -> Any:
    """An element of the header, or of what it says of all frames or the first one (C.7.6.16)."""
    if (value := header.get(name)) is not None:
        return value
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for frame in (header.get(groups) or ())[:1]:
            for item in (frame.get(group) or ())[:1]:
                if (value := item.get(name)) is not None:
                    return value
    return None


def _first(value: Any) -> float | None:
    """A number, or the first of several."""
    if value is None or value == "":
        return None
    return float(value if isinstance(value, int | float | str) else next(iter(value)))


def _picture(path: Path, header: Any, index: int, levels: Levels | None) -> RGBImage:
    from pydicom.pixels import apply_color_lut, pixel_array

    values = pixel_array(path, index=index)  # decompressed, YCbCr as RGB
    if _is_palette(header):
        coloured = apply_color_lut(values, header)
        return coloured if coloured.dtype == np.uint8 else (coloured >> 8).astype(np.uint8)
    pixels = to_levels(values, levels, path)
    if header.get("PhotometricInterpretation") == "MONOCHROME1":  # the lowest value is white
        pixels = 255 - pixels
    gray = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(np.broadcast_to(gray, (*gray.shape[:2], 3)))


def _is_gray(header: Any) -> bool:
    kind = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    return kind.startswith("MONOCHROME")


def _is_palette(header: Any) -> bool:
    return bool(header.get("PhotometricInterpretation") == "PALETTE COLOR")
