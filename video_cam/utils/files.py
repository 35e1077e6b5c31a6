"""Files that appear whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A new binary file that takes the name ``path`` when the block ends well.

    Until then it has a hidden name in the same folder, so that the last step is one rename. When
    the block raises, nothing is left and what was at ``path`` stays.

    Raises:
        OSError: where the file cannot be written.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``: all of it, or what was there stays."""
    with atomic_write(path) as file:
        file.write(data)
