"""Write files so that they appear whole or not at all, and read regular files only."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

StrPath = str | os.PathLike[str]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to ``path`` when the block succeeds.

    For writers that open a file by its name; ``atomic_write`` opens it for you. When the block
    raises, the temporary file is removed and an older file at ``path`` stays as it was.

    Args:
        path: the final path; its folder must exist.

    Raises:
        OSError: if the file cannot be renamed.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A new binary file that gets the name ``path`` when the block succeeds.

    When the block raises, nothing is left behind and an older file at ``path`` stays as it was.

    Args:
        path: the final path; its folder must exist.

    Raises:
        OSError: if the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``; if that fails, an older file at ``path`` stays as it was.

    Raises:
        OSError: if the file cannot be written.
    """
    with atomic_write(path) as file:
        file.write(data)


@contextmanager
def open_regular(path: StrPath) -> Iterator[IO[bytes]]:
    """A regular file, open for reading; a named pipe or a device is refused instead of waited for.

    Raises:
        OSError: where there is no such file, or it is something else.
    """
    # A pipe that nobody writes to would block the opening; which kind it is, is known only then.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - a Path opens no descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        yield file


def read_regular(path: StrPath, max_bytes: int) -> bytes:
    """The content of a regular file.

    Args:
        max_bytes: a larger file is refused.

    Raises:
        OSError: where there is no such file, or it is something else or too large.
    """
    with open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes} bytes", os.fspath(path))
    return data
