"""The size of a DICOM file's pixels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.media import write_clip
from tests.video.test_dicom import ramp, write_dicom
from video_cam.errors import ClipError
from video_cam.video.dicom_spacing import pixel_spacing


def region(x: float, y: float, units: int = 3) -> Any:
    """A region of ultrasound, in cm for each pixel unless the units are others."""
    pydicom = pytest.importorskip("pydicom")
    made = pydicom.Dataset()
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = units
    made.PhysicalDeltaX, made.PhysicalDeltaY = x, y
    return made


def shared(spacing: list[float]) -> Any:
    """What all pictures of an enhanced file share."""
    pydicom = pytest.importorskip("pydicom")
    groups, measures = pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing = spacing
    groups.PixelMeasuresSequence = [measures]
    return [groups]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (lambda: {}, None),
        (lambda: {"PixelSpacing": [0.5, 0.25]}, (0.5, 0.25)),
        (lambda: {"ImagerPixelSpacing": [0.3, 0.3]}, (0.3, 0.3)),
        (lambda: {"SharedFunctionalGroupsSequence": shared([0.2, 0.1])}, (0.2, 0.1)),
        (lambda: {"SequenceOfUltrasoundRegions": [region(0.02, -0.03)]}, (0.3, 0.2)),
        # A picture beside a spectrum, whose axes are seconds and cm/s.
        (
            lambda: {"SequenceOfUltrasoundRegions": [region(0.02, 0.03), region(1, 1, 4)]},
            (0.3, 0.2),
        ),
        # Two pictures of different scales have no common one.
        (lambda: {"SequenceOfUltrasoundRegions": [region(0.02, 0.03), region(1, 1)]}, None),
        (lambda: {"PixelSpacing": [0, 0]}, None),
    ],
)
def test_the_spacing_of_the_header(header, expected, tmp_path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp(), **header())
    assert pixel_spacing(path) == (None if expected is None else pytest.approx(expected))


def test_other_clips_have_none(tmp_path) -> None:
    assert pixel_spacing(write_clip(tmp_path / "a.mp4", 2)) is None
    assert pixel_spacing(tmp_path / "missing.dcm") is None


def test_a_damaged_file_is_one_line(tmp_path) -> None:
    pytest.importorskip("pydicom")
    path = tmp_path / "a.dcm"
    path.write_bytes(b"no header at all")
    with pytest.raises(ClipError, match=r"a\.dcm: a DICOM file that cannot be read"):
        pixel_spacing(path)
