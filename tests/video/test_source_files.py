"""The digest of a clip depends on its content, and on neither its name nor its place."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from PIL import Image

from video_cam import ClipError
from video_cam.video import source_files
from video_cam.video.source_files import source_digest

WHOLE = 64  # bytes
BLOCK = WHOLE // source_files.NUM_BLOCKS


def write_images(folder: Path, grays: list[int]) -> Path:
    folder.mkdir()
    for number, gray in enumerate(grays):
        Image.new("L", (8, 8), gray).save(folder / f"a_{number}.bmp")
    return folder


@pytest.fixture
def small_limits(monkeypatch) -> None:
    monkeypatch.setattr(source_files, "WHOLE_BYTES", WHOLE)
    monkeypatch.setattr(source_files, "LEAST_BYTES", WHOLE)


def test_a_file_has_its_own_sha256_wherever_it_is(sample_clip: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(sample_clip, tmp_path / "other name.mov"))
    expected = hashlib.sha256(sample_clip.read_bytes()).hexdigest()
    assert source_digest(sample_clip) == source_digest(copy) == f"sha256:{expected}"


@pytest.mark.parametrize("changed", [0, 500, 999])
def test_a_large_file_is_known_by_its_size_and_blocks(
    changed: int, tmp_path: Path, small_limits
) -> None:
    path, content = tmp_path / "v.mp4", bytearray(1000)
    path.write_bytes(content)
    before = source_digest(path)
    assert before.startswith("sha256-parts:") and source_digest(path) == before
    content[changed : changed + 60] = b"x" * min(60, 1000 - changed)
    path.write_bytes(content)
    after = source_digest(path)
    path.write_bytes(bytes(1001))
    assert len({before, after, source_digest(path)}) == 3


def test_no_more_of_a_large_file_is_read(tmp_path: Path, small_limits) -> None:
    (tmp_path / "v.mp4").write_bytes(bytes(1000))
    parts = list(source_files._parts(tmp_path / "v.mp4", WHOLE))
    assert [len(part) for part in parts] == [8, *[BLOCK] * source_files.NUM_BLOCKS]


def test_images_count_in_their_order_and_nothing_else_in_the_folder(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", [1, 2, 3])
    before = source_digest(folder)
    assert before == source_digest(write_images(tmp_path / "renamed", [1, 2, 3]))
    assert before == source_digest(folder / "a_%d.bmp")
    (folder / "notes.txt").write_text("not a frame")
    assert source_digest(folder) == before
    assert source_digest(write_images(tmp_path / "b", [1, 3, 2])) != before
    assert source_digest(write_images(tmp_path / "c", [1, 2])) != before


def test_every_one_of_many_images_counts(tmp_path: Path, small_limits) -> None:
    grays = list(range(40))
    digests = {source_digest(write_images(tmp_path / "a", grays))}
    for place in (0, 17, 39):
        others = [*grays[:place], 200, *grays[place + 1 :]]
        digests.add(source_digest(write_images(tmp_path / f"b{place}", others)))
    assert len(digests) == 4


def test_a_file_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="cannot be read"):
        source_digest(tmp_path / "gone.mp4")
