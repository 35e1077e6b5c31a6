"""results.jsonl: a line for every clip that was done or failed, which no crash can tear."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = "results.jsonl"


def json_line(value: dict[str, Any]) -> bytes:
    """One line of JSON. Bytes of a file name that are no UTF-8 are kept as escapes."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def append_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows with one write, on disk when this returns. Call it under a lock.

    A line that an earlier crash or a full disk cut off is closed first, so that it spoils no other.
    Raises OSError, and takes back what was written in part.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(file).st_size
        is_torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        data = b"\n" * is_torn + b"".join(map(json_line, rows))
        if os.write(file, data) != len(data):
            os.ftruncate(file, size)
            raise OSError(28, os.strerror(28))  # ENOSPC: what a short write to a file means
        os.fsync(file)
    finally:
        os.close(file)


def parse_rows(data: bytes) -> list[dict[str, Any]]:
    """The rows of a file's whole lines, in their order; what is no row is passed over."""
    rows = []
    for line in data.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("clip"), str):
            rows.append(row)
    return rows


def latest(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last row of each clip, in the order of the clips' first ones."""
    return list({row["clip"]: row for row in rows}.values())
