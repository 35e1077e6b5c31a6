"""Files appear whole or not at all, and only regular files are read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.support.disk import DiskLog
from video_cam.utils.files import (
    atomic_path,
    atomic_write,
    make_folder,
    read_regular,
    sync,
    sync_tree,
    write_atomically,
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.txt") as file:
        file.write(b"new")
        assert not (tmp_path / "a.txt").exists()
    assert names_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_exception_the_old_file_stays_and_nothing_else(tmp_path: Path, error) -> None:
    write_atomically(tmp_path / "a.txt", b"old")
    with pytest.raises(error), atomic_write(tmp_path / "a.txt") as file:
        file.write(b"half of the new")
        raise error
    assert names_in(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"old"


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", b"old and long")
    write_atomically(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.txt") as one, atomic_write(tmp_path / "a.txt") as other:
        one.write(b"one")
        other.write(b"other")
    assert (tmp_path / "a.txt").read_bytes() == b"one"  # the one that ended last
    assert names_in(tmp_path) == ["a.txt"]


def test_a_temporary_path_lies_in_the_same_folder_and_is_hidden(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as temporary:
        assert temporary.parent == tmp_path and temporary.name.startswith(".")
        temporary.write_bytes(b"new")
    assert names_in(tmp_path) == ["a.txt"]


def test_a_missing_folder_raises_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "gone" / "a.txt", b"new")
    assert names_in(tmp_path) == []


def test_content_is_on_disk_before_the_name_and_the_name_at_the_end(
    tmp_path: Path, monkeypatch
) -> None:
    log = DiskLog(monkeypatch)
    write_atomically(tmp_path / "a.txt", b"new")
    assert log.named(tmp_path) == ["sync a.txt", "rename a.txt", "sync ."]


def test_a_file_of_a_folder_that_is_written_to_disk_as_a_whole_is_not_written_alone(
    tmp_path: Path, monkeypatch
) -> None:
    log = DiskLog(monkeypatch)
    with atomic_write(tmp_path / "a.txt", durable=False) as file:
        file.write(b"new")
        assert not (tmp_path / "a.txt").exists()
    assert log.named(tmp_path) == ["rename a.txt"]


def test_a_tree_is_written_to_disk_files_first(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "b.js").touch()
    (tmp_path / "a.txt").touch()
    log = DiskLog(monkeypatch)
    sync_tree(tmp_path)
    synced = log.named(tmp_path)
    assert sorted(synced[:2]) == ["sync a.txt", "sync page/b.js"]
    assert sorted(synced[2:]) == ["sync .", "sync page"]


def test_a_new_folders_name_is_on_disk(tmp_path: Path, monkeypatch) -> None:
    log = DiskLog(monkeypatch)
    make_folder(tmp_path / "a" / "b")
    assert sorted(log.named(tmp_path)) == ["sync .", "sync a"]
    make_folder(tmp_path / "a" / "b")
    assert len(log.named(tmp_path)) == 2
    (tmp_path / "link").symlink_to("c/d")
    make_folder(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "c" / "d").is_dir()


@pytest.mark.parametrize(
    ("code", "is_raised"), [(errno.EINVAL, False), (errno.EIO, True), (errno.ENOSPC, True)]
)
def test_errors_of_the_disk(code: int, is_raised: bool, tmp_path: Path, monkeypatch) -> None:
    def fail(file: int) -> None:
        raise OSError(code, os.strerror(code))

    write_atomically(tmp_path / "a.txt", b"old")
    monkeypatch.setattr(os, "fsync", fail)
    if is_raised:
        with pytest.raises(OSError):
            write_atomically(tmp_path / "a.txt", b"new")
        assert (tmp_path / "a.txt").read_bytes() == b"old"
        assert names_in(tmp_path) == ["a.txt"]
    else:
        sync(tmp_path)


def test_a_regular_file_is_read_up_to_a_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"four")
    assert read_regular(tmp_path / "a", 4) == b"four"
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_regular(tmp_path / "a", 3)


@pytest.mark.parametrize("kind", ["nothing", "folder", "pipe", "device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(OSError):
        read_regular(path, 10)
