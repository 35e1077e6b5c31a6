"""results.jsonl: one line of JSON for each clip, readable also after a crash while writing."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from video_cam.utils.text import json_text

RESULTS = "results.jsonl"


def json_line(value: dict[str, Any]) -> bytes:
    """One line of JSON in UTF-8; bytes of a file name that are not UTF-8 are kept as escapes."""
    return f"{json_text(value)}\n".encode()


def append_records(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Append records with one write; they are on disk when this returns. To be called under a lock.

    A line that a crash or a full disk cut off before is ended first, so that the new lines are
    readable.

    Raises:
        OSError: where not all of it can be written; what was written in part is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(file).st_size
        is_cut_off = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        data = b"\n" * is_cut_off + b"".join(map(json_line, records))
        if os.write(file, data) != len(data):
            os.ftruncate(file, size)
            # A short write to a file means that the disk is full.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    finally:
        os.close(file)


def parse_records(data: bytes) -> list[dict[str, Any]]:
    """The records of a file's content in their order; lines that hold no record are skipped."""
    records = []
    for line in data.split(b"\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("clip"), str):
            records.append(record)
    return records


def latest(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last record of each clip, in the order of the clips' first records."""
    return list({record["clip"]: record for record in records}.values())
