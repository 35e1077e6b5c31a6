"""DICOM files with many pictures are clips, with the times and the window of their headers."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from video_cam import ClipError
from video_cam.config import LimitsConfig
from video_cam.video.clip import Clip
from video_cam.video.levels import Levels
from video_cam.video.picture_source import NO_RATE

H264 = "1.2.840.10008.1.2.4.102"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"


def write_dicom(path: Path, frames: np.ndarray, **header: Any) -> Path:
    """A DICOM file of uint8 or uint16 (T, H, W[, 3]) frames with these header elements."""
    pydicom = pytest.importorskip("pydicom")
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = header.pop("syntax", pydicom.uid.ExplicitVRLittleEndian)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = US_MULTIFRAME
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape[:3]
    data.SamplesPerPixel = 3 if frames.ndim == 4 else 1
    data.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
    if frames.ndim == 4:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8 * frames.dtype.itemsize
    data.PixelRepresentation = 0
    data.PixelData = frames.tobytes()
    for name, value in header.items():
        setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    if data.file_meta.TransferSyntaxUID == H264:
        data.PixelData = pydicom.encaps.encapsulate([b"no real video"])
        data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return path


def ramp(highest: int = 50, dtype=np.uint8) -> np.ndarray:
    """(6, 8, 10): from 0 to ``highest``, one value in each frame."""
    values = np.linspace(0, highest, 6).reshape(6, 1, 1)
    return np.broadcast_to(values, (6, 8, 10)).astype(dtype)


def values(clip: Clip) -> list[int]:
    return [int(p[0, 0, 0]) for p in clip.frames_at(range(clip.info.num_frames)).values()]


@pytest.mark.parametrize("name", ["a.dcm", "IM0001"])
def test_the_frames_of_a_dicom_file_are_a_clip(tmp_path, name) -> None:
    clip = Clip.open(write_dicom(tmp_path / name, ramp(), FrameTime="40"))
    info = clip.info
    assert (info.width, info.height, info.num_frames, info.frame_rate) == (10, 8, 6, 25)
    assert values(clip) == [0, 10, 20, 30, 40, 50]
    assert info.conversions == ()


def test_the_colours_of_a_dicom_file_are_kept(tmp_path) -> None:
    frames = np.zeros((2, 8, 10, 3), np.uint8)
    frames[:] = (200, 100, 50)
    clip = Clip.open(write_dicom(tmp_path / "a.dcm", frames))
    assert clip.frames_at([1])[1][3, 3].tolist() == [200, 100, 50]


@pytest.mark.parametrize(
    ("header", "rate"),
    [
        ({"FrameTime": "33.333333"}, 30),
        ({"CineRate": 15}, 15),
        ({"RecommendedDisplayFrameRate": 12, "CineRate": 15}, 12),
    ],
)
def test_the_rate_is_that_of_the_header(tmp_path, header, rate) -> None:
    found = Clip.open(write_dicom(tmp_path / "a.dcm", ramp(), **header)).info.frame_rate
    assert float(found) == pytest.approx(rate, rel=1e-6)


def test_the_times_of_single_frames_are_kept(tmp_path) -> None:
    steps = ["0", "40", "80", "40", "40", "40.5"]
    clip = Clip.open(write_dicom(tmp_path / "a.dcm", ramp(), FrameTimeVector=steps))
    starts = [clip.timeline.pts_seconds(index) for index in range(6)]
    assert starts == [Fraction(n, 10_000) for n in (0, 400, 1200, 1600, 2000, 2405)]


def test_a_header_without_a_rate_is_told(tmp_path) -> None:
    info = Clip.open(write_dicom(tmp_path / "a.dcm", ramp())).info
    assert (info.frame_rate, info.conversions) == (25, (NO_RATE,))


@pytest.mark.parametrize(
    ("header", "brightest"),
    [
        ({"BitsStored": 12}, 249),
        ({"BitsStored": 12, "WindowCenter": "1000.5", "WindowWidth": "2001"}, 255),
        ({"BitsStored": 12, "WindowCenter": "4000.5", "WindowWidth": "8001"}, 128),
        ({}, 16),
    ],
)
def test_the_window_or_the_stored_bits_are_shown(tmp_path, header, brightest) -> None:
    clip = Clip.open(write_dicom(tmp_path / "a.dcm", ramp(4000, np.uint16), **header))
    assert values(clip)[-1] == pytest.approx(brightest, abs=1)


def test_a_rescaled_window_is_that_of_the_stored_values(tmp_path) -> None:
    header = {"RescaleSlope": "2", "RescaleIntercept": "-1000"}
    header |= {"WindowCenter": "0.5", "WindowWidth": "2001"}
    path = write_dicom(tmp_path / "a.dcm", ramp(1000, np.uint16), **header)
    assert Clip.open(path).info.levels == Levels(0, 1000)


def test_the_user_may_say_the_depth(tmp_path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp(1000, np.uint16), BitsStored=12)
    assert values(Clip.open(path, bit_depth=10))[-1] == 250


def test_inverted_gray_is_shown_as_it_is_meant(tmp_path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp(), PhotometricInterpretation="MONOCHROME1")
    assert values(Clip.open(path)) == [255, 245, 235, 225, 215, 205]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_gives_the_colours(tmp_path, bits) -> None:
    dtype = np.uint8 if bits == 8 else np.uint16
    entries = [np.arange(0, 60, 10, dtype) << (bits - 8), np.full(6, 7, dtype) << (bits - 8)]
    header = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, values in zip(("Red", "Green", "Blue"), (entries[0], *entries), strict=True):
        header[f"{name}PaletteColorLookupTableDescriptor"] = [6, 0, bits]
        header[f"{name}PaletteColorLookupTableData"] = values.tobytes()
    path = write_dicom(tmp_path / "a.dcm", ramp(5), **header)
    shown = Clip.open(path).frames_at([3])[3]
    assert shown[0, 0].tolist() == [30, 30, 7]


def test_colours_as_luma_and_differences_become_rgb(tmp_path) -> None:
    frames = np.full((2, 8, 10, 3), (100, 128, 128), np.uint8)
    path = write_dicom(tmp_path / "a.dcm", frames, PhotometricInterpretation="YBR_FULL")
    assert Clip.open(path).frames_at([1])[1][0, 0].tolist() == [100, 100, 100]


def test_run_length_compression_is_read(tmp_path) -> None:
    pydicom = pytest.importorskip("pydicom")
    path = write_dicom(tmp_path / "a.dcm", ramp(), FrameTime="40")
    data = pydicom.dcmread(path)
    data.compress(pydicom.uid.RLELossless, encoding_plugin="pydicom")
    data.save_as(path)
    assert values(Clip.open(path)) == [0, 10, 20, 30, 40, 50]


def test_one_picture_is_a_still(tmp_path) -> None:
    info = Clip.open(write_dicom(tmp_path / "a.dcm", ramp()[:1])).info
    assert (info.num_frames, info.is_still, info.conversions) == (1, True, ())


def test_a_compressed_video_is_told(tmp_path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp(), syntax=H264)
    with pytest.raises(ClipError, match="holds a compressed video, which is not read; extract it"):
        Clip.open(path)


def test_a_deflated_file_is_not_unpacked(tmp_path) -> None:
    pydicom = pytest.importorskip("pydicom")
    deflated = pydicom.uid.DeflatedExplicitVRLittleEndian
    path = write_dicom(tmp_path / "a.dcm", np.zeros((50, 200, 200), np.uint8), syntax=deflated)
    with pytest.raises(ClipError, match="a deflated DICOM file, which is not read"):
        Clip.open(path)


def test_dicom_files_have_limits(tmp_path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp())
    with pytest.raises(ClipError, match="more than 5 frames"):
        Clip.open(path, LimitsConfig(max_frames=5))
    with pytest.raises(ClipError, match="10x8 have more than 79 pixels"):
        Clip.open(path, LimitsConfig(max_pixels=79))


def test_a_damaged_file_is_told_in_one_line(tmp_path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp())
    path.write_bytes(path.read_bytes()[:-100])
    clip = Clip.open(path)
    with pytest.raises(ClipError, match="a DICOM file that cannot be read") as caught:
        clip.frames_at([5])
    assert "\n" not in str(caught.value)


def test_without_pydicom_the_message_says_what_to_install(tmp_path, monkeypatch) -> None:
    (tmp_path / "IM1").write_bytes(bytes(128) + b"DICM" + bytes(20))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ClipError, match=r"which pydicom reads: pip install 'pydicom>=3'"):
        Clip.open(tmp_path / "IM1")


def test_something_else_named_so_is_told(tmp_path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"no picture at all")
    with pytest.raises(ClipError, match="no DICOM file, or an old one without a header"):
        Clip.open(tmp_path / "a.dcm")


def test_the_window_of_8_bits_is_shown(tmp_path) -> None:
    header = {"WindowCenter": "20.5", "WindowWidth": "21"}
    clip = Clip.open(write_dicom(tmp_path / "a.dcm", ramp(), **header))
    assert values(clip) == [0, 0, 128, 255, 255, 255]
    assert clip.info.conversions[1:] == (
        "the pictures hold 8 bits: values from 10 to 30 are shown as black to white",
    )


def test_fewer_stored_bits_than_8_are_shown_from_black_to_white(tmp_path) -> None:
    clip = Clip.open(write_dicom(tmp_path / "a.dcm", ramp(60), BitsStored=6))
    assert values(clip)[-1] == pytest.approx(255 * 60 / 63, abs=1)


def test_signed_values_of_8_bits_are_shown_from_black_to_white(tmp_path) -> None:
    path = write_dicom(tmp_path / "a.dcm", ramp(100, np.int8) - 50, PixelRepresentation=1)
    assert values(Clip.open(path)) == [78, 98, 118, 138, 158, 178]


def test_a_window_is_not_for_colours(tmp_path) -> None:
    frames = np.full((2, 8, 10, 3), (200, 100, 50), np.uint8)
    header = {"WindowCenter": "20", "WindowWidth": "21"}
    clip = Clip.open(write_dicom(tmp_path / "a.dcm", frames, **header))
    assert clip.frames_at([1])[1][0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("window", [True, False])
def test_a_negative_rescale_slope_makes_small_values_bright(tmp_path, window, photometric) -> None:
    header = {"RescaleSlope": "-2", "RescaleIntercept": "0", "BitsStored": 10}
    header |= {"WindowCenter": "-1000", "WindowWidth": "2001"} if window else {}
    header["PhotometricInterpretation"] = photometric
    clip = Clip.open(write_dicom(tmp_path / "a.dcm", ramp(1000, np.uint16), **header))
    expected = [255, 204, 153, 102, 51, 0] if window else [255, 205, 155, 106, 56, 6]
    if photometric == "MONOCHROME1":
        expected = [255 - value for value in expected]
    assert values(clip) == pytest.approx(expected, abs=1)
    with_depth = Clip.open(clip.path, bit_depth=10)
    assert values(with_depth) == pytest.approx(values(clip), abs=7)


def test_the_window_of_an_enhanced_file_is_that_of_its_frames(tmp_path) -> None:
    pydicom = pytest.importorskip("pydicom")
    window, groups = pydicom.Dataset(), pydicom.Dataset()
    window.WindowCenter, window.WindowWidth = "1000.5", "2001"
    groups.FrameVOILUTSequence = pydicom.Sequence([window])
    header = {"BitsStored": 12, "SharedFunctionalGroupsSequence": pydicom.Sequence([groups])}
    clip = Clip.open(write_dicom(tmp_path / "a.dcm", ramp(4000, np.uint16), **header))
    assert clip.info.levels == Levels(0, 2000)
