"""Write files so that they appear whole or not at all."""

from __future__ import annotations

import os
import secrets
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
