"""File locks: held by one process at a time, and free again when that process ends in any way."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


class LockHeld(Exception):
    """Another process, or another part of this one, holds the lock."""


class NoLocks(Exception):
    """The file system has no locks."""


@contextmanager
def file_lock(path: Path, wait_seconds: float) -> Iterator[None]:
    """A context in which this process holds the lock.

    Args:
        path: the lock's file, created where it is missing; its folder must exist.
        wait_seconds: how long to wait for another holder; negative for as long as it takes.

    Raises:
        LockHeld: where another one holds the lock all that time.
        NoLocks: where the file system has no locks.
        OSError: where the file cannot be opened.
    """
    # A file whose existence is the lock would stay behind when its process is killed.
    lock = FileLock(path, timeout=wait_seconds, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockHeld(str(path)) from error
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NoLocks(str(path)) from error
        raise
    try:
        yield
    finally:
        lock.release()
