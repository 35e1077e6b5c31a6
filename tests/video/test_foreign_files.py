"""What is no clip is named in one line, with what to do."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from tests.support.media import write_clip
from video_cam import ClipError
from video_cam.video.clip import Clip
from video_cam.video.foreign_files import kind_of_file

HEIF = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"

BEGINNINGS = {
    "page.mp4": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "a web page, not a video"),
    "bom.mp4": (b"\xef\xbb\xbf<HTML>", "a web page, not a video"),
    "pointer.mp4": (b"version https://git-lfs.github.com/spec/v1\n", "run git lfs pull"),
    "zeros.mp4": (bytes(9000), "begins with zeros only"),
    "paper.mp4": (b"%PDF-1.7\n", "a PDF, not a clip"),
    "packed.mp4": (b"\x1f\x8b\x08" + bytes(50), "a gzip archive: unpack it first"),
    "table.h5": (b"\x89HDF\r\n\x1a\n" + bytes(90), "an HDF5 file: save its array as .npy"),
    "photo.heic": (HEIF + bytes(90), "a HEIF picture: convert it to JPEG or PNG"),
    "photo.mp4": (HEIF + bytes(90), "a HEIF picture: convert it to JPEG or PNG"),
    "empty.mp4": (b"", "the file is empty; copy or download it again"),
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_what_the_file_is_stands_in_one_line(tmp_path, name) -> None:
    data, words = BEGINNINGS[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ClipError) as caught:
        Clip.open(tmp_path / name)
    assert words in str(caught.value) and name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_zip_archive_is_named(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "a.mp4", "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(ClipError, match="a zip archive: unpack it first"):
        Clip.open(tmp_path / "a.mp4")


@pytest.mark.parametrize("is_large", [False, True])
def test_a_recording_without_its_index_is_named(tmp_path, is_large) -> None:
    path = write_clip(tmp_path / "a.mp4", 10)
    data = path.read_bytes()
    data = data[: data.index(b"moov") - 4]  # the box's size comes first
    if is_large:  # the sound and pictures take more than 32 bits can count
        start = data.index(b"mdat") - 4
        data = data[:start] + b"\0\0\0\1mdat" + (2**33).to_bytes(8, "big") + data[start + 8 :]
    path.write_bytes(data)
    with pytest.raises(ClipError, match=r"without its index \(moov\).*untrunc"):
        Clip.open(path)


def test_an_index_behind_pictures_of_any_size_is_found(tmp_path) -> None:
    index = b"\0\0\0\x08moov"
    pictures = b"\0\0\0\1mdat" + (116).to_bytes(8, "big") + bytes(100)
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x08ftyp" + pictures + index)
    assert kind_of_file(tmp_path / "a.mp4") is None


def test_nothing_is_said_about_unknown_files(tmp_path) -> None:
    (tmp_path / "a").write_bytes(np.random.default_rng(0).bytes(500))
    assert kind_of_file(tmp_path / "a") is None
    assert kind_of_file(tmp_path / "gone") is None
    assert kind_of_file(write_clip(tmp_path / "a.mp4", 3)) is None
