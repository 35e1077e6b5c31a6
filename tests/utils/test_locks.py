"""Locks of files: one holder, free after a kill, errors where a file system has none."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from video_cam.utils.locks import LockHeld, NoLocks, file_lock


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with file_lock(path, -1):
        for wait_seconds in (0, 0.1):
            with pytest.raises(LockHeld), file_lock(path, wait_seconds):
                raise AssertionError("two holders")
    with file_lock(path, 0):
        pass


def test_a_lock_file_that_is_left_behind_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text("1234\nanother host\n")  # as locks by the file's existence write it
    with file_lock(path, 0):
        pass


def test_a_pipe_in_the_place_of_a_lock_file_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    os.mkfifo(path)
    with file_lock(path, 0), pytest.raises(LockHeld), file_lock(path, 0):
        raise AssertionError("two holders")


def test_a_folder_in_the_place_of_a_lock_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), file_lock(tmp_path, 0):
        raise AssertionError("a folder was locked")


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks(code: int, tmp_path: Path, monkeypatch, recwarn) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(NoLocks), file_lock(tmp_path / "x.lock", -1):
        raise AssertionError("held without a lock")
    assert len(recwarn) == 0
