"""TIFF pictures of any layout: shown as they are meant, alone and as pages, or refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from video_cam import ClipError
from video_cam.video.clip import Clip

GRAY, RGB = 1, 2  # PhotometricInterpretation


def write_tiff(
    path: Path, pages: list[np.ndarray], photometric: int, extra: int | None = None
) -> Path:
    """A TIFF of pictures (H, W, samples) without compression; ``extra`` marks the last sample."""
    data = bytearray(struct.pack("<2sHI", b"II", 42, 8))
    for number, page in enumerate(pages):
        height, width, samples = page.shape
        kind = {"u": 1, "i": 2, "f": 3}[page.dtype.kind]
        entries = {256: width, 257: height, 259: 1, 262: photometric, 277: samples, 278: height}
        entries |= {279: page.nbytes, 339: kind} | ({} if extra is None else {338: extra})
        entries |= {258: 0, 273: 0}
        end = len(data) + 2 + 12 * len(entries) + 4
        entries[273] = end + 2 * samples  # after the bits of each sample
        bits = struct.pack(f"<{samples}H", *[8 * page.dtype.itemsize] * samples)
        data += struct.pack("<H", len(entries))
        for tag, value in sorted(entries.items()):
            if tag == 258:
                place = struct.pack("<I", end) if samples > 2 else bits.ljust(4, b"\0")
                data += struct.pack("<HHI", tag, 3, samples) + place
            else:
                data += struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value)
        following = entries[273] + page.nbytes
        data += struct.pack("<I", 0 if number == len(pages) - 1 else following) + bits
        data += page.tobytes()
    path.write_bytes(bytes(data))
    return path


def of_pixel(*values: float, dtype: str = "u1") -> np.ndarray:
    """(8, 10, samples): every pixel has these values."""
    return np.broadcast_to(np.array(values, dtype), (8, 10, len(values))).copy()


@pytest.mark.parametrize("num_pages", [1, 3])
@pytest.mark.parametrize(
    ("pixel", "extra"),
    [
        (of_pixel(200, 100, 50, 128), 2),
        (of_pixel(100, 50, 25, 128), 1),  # the colours are multiplied by alpha already
        (of_pixel(200, 100, 50, 128), 0),
        (of_pixel(51400, 25700, 12850, 32896, dtype="<u2"), 2),
        (of_pixel(25700, 12850, 6425, 32896, dtype="<u2"), 1),
        (of_pixel(0.784, 0.392, 0.196, 0.502, dtype="<f4"), 2),
    ],
)
def test_alpha_of_a_tiff_is_applied_once(tmp_path, pixel, extra, num_pages) -> None:
    path = write_tiff(tmp_path / "a.tif", [pixel] * num_pages, RGB, extra)
    clip = Clip.open(path, bit_depth=16)
    shown = clip.frames_at([num_pages - 1])[num_pages - 1]
    assert shown[3, 3].tolist() == pytest.approx([100, 50, 25], abs=1)


@pytest.mark.parametrize("num_pages", [1, 3])
@pytest.mark.parametrize("dtype", ["u1", "<u2"])
def test_gray_with_alpha_is_refused(tmp_path, dtype, num_pages) -> None:
    path = write_tiff(tmp_path / "a.tif", [of_pixel(200, 99, dtype=dtype)] * num_pages, GRAY, 2)
    with pytest.raises(ClipError, match="a gray TIFF with two numbers for each pixel"):
        Clip.open(path)


@pytest.mark.parametrize("num_pages", [1, 3])
def test_small_values_that_are_bright_are_shown_so_or_refused(tmp_path, num_pages) -> None:
    pages = [of_pixel(55)] * num_pages
    clip = Clip.open(write_tiff(tmp_path / "a.tif", pages, photometric=0))
    assert clip.frames_at([0])[0][3, 3].tolist() == [200] * 3
    deep = write_tiff(tmp_path / "b.tif", [of_pixel(55, dtype="<u2")] * num_pages, photometric=0)
    with pytest.raises(ClipError, match="whose smallest value is white"):
        Clip.open(deep)


def test_pages_of_several_modes_of_8_bits_are_shown_as_they_are_meant(tmp_path) -> None:
    colour = Image.new("RGB", (10, 8), (200, 100, 50))
    half = Image.new("RGBA", (10, 8), (200, 100, 50, 128))
    pages = [colour.convert("L"), colour.quantize(2), half, colour.convert("CMYK")]
    colour.save(tmp_path / "a.tif", save_all=True, append_images=pages)
    shown = Clip.open(tmp_path / "a.tif").frames_at(range(5))
    expected = [[200, 100, 50], [124] * 3, [200, 100, 50], [100, 50, 25], [200, 100, 50]]
    assert [page[3, 3].tolist() for page in shown.values()] == expected


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_pages_of_several_depths_are_refused_by_number(tmp_path, order) -> None:
    pages = [Image.new("L", (10, 8), 200), Image.fromarray(np.full((8, 10), 4000, np.uint16))]
    first, second = (pages[number] for number in order)
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    with pytest.raises(ClipError, match=r"a\.tif, page 1: a picture of \d+ bits in a clip whose"):
        Clip.open(tmp_path / "a.tif").frames_at([0, 1])
