"""Write files so that they appear whole or not at all, also where the power fails; read files."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

StrPath = str | os.PathLike[str]

# File systems combine writes that are asked for at the same time into few accesses to the disk.
# More threads take more CPU time and not less time.
_SYNC_THREADS = 8
_BLOCK_BYTES = 2**20
# Of file systems that write folders to disk at once, and of Windows for files opened to be read.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


@contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to ``path`` when the block succeeds.

    The file's content is on disk before it gets the name, and the name is on disk at the end. For
    writers that open a file by its name; ``atomic_write`` opens it for you. When the block raises,
    the temporary file is removed and an older file at ``path`` stays as it was.

    Args:
        path: the final path; its folder must exist.
        durable: False where the folder is written to disk as a whole before anybody may use it.

    Raises:
        OSError: if the file cannot be renamed, or not be written to disk.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
        if durable:
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A new binary file that gets the name ``path`` when the block succeeds.

    When the block raises, nothing is left behind and an older file at ``path`` stays as it was.

    Args:
        path, durable: as in ``atomic_path``.

    Raises:
        OSError: if the file cannot be written.
    """
    with atomic_path(path, durable=durable) as temporary, temporary.open("wb") as file:
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
    with os.fdopen(os.open(path, flags), "rb") as file:
        check_regular(file.fileno(), path)
        yield file


def read_regular(path: StrPath, max_bytes: int) -> bytes:
    """The content of a regular file.

    Args:
        max_bytes: a larger file is refused.

    Raises:
        OSError: where there is no such file, or it is something else or too large.
    """
    with open_regular(path) as file:
        # Memory for what is asked for is reserved, which takes longer than to read a small file.
        size = os.fstat(file.fileno()).st_size
        data = file.read(min(size, max_bytes) + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than {max_bytes} bytes", os.fspath(path))
    return data


def sha256_of(path: StrPath) -> str:
    """SHA-256 of a regular file, as 64 hexadecimal digits.

    Raises:
        OSError: where it cannot be read, or is no regular file.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        # Memory for what is asked for is reserved, which takes longer than to read a small file.
        size = os.fstat(file.fileno()).st_size
        while block := file.read(min(size + 1, _BLOCK_BYTES)):
            digest.update(block)
    return digest.hexdigest()


def check_regular(file: int, path: StrPath) -> None:
    """Raise OSError for an open file that is no regular one, such as a pipe."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))


def sync(path: Path) -> None:
    """Write a file's content, or a folder's list of names, to disk.

    Raises:
        OSError: where it cannot be written.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():  # one that may be written but not listed; on Windows any folder
            return
        raise
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(file)


def sync_tree(folder: Path) -> None:
    """Write all files in ``folder`` and its sub-folders to disk, then the folders themselves.

    Raises:
        OSError: where one of them cannot be written.
    """
    files, folders = files_and_folders(folder)
    with ThreadPoolExecutor(_SYNC_THREADS) as pool:
        for group in (files, folders):
            list(pool.map(sync, group))


def files_and_folders(folder: Path) -> tuple[list[Path], list[Path]]:
    """All files in a folder and its sub-folders, and these folders, the first one among them."""
    files, folders = [], []
    for parent, _, names in os.walk(folder):
        folders.append(Path(parent))
        files += [Path(parent, name) for name in names]
    return files, folders


def make_folder(folder: Path) -> None:
    """Create a folder, with the folders above it, where it is missing; its name is on disk then.

    Args:
        folder: its path; where it is a symbolic link to a missing folder, that one is created.

    Raises:
        OSError: where it cannot be created.
    """
    folder = Path(os.path.realpath(folder))
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync(path.parent)
