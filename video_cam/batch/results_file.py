"""results.jsonl: one line of JSON for each clip, readable also after a crash while writing."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import IO, Annotated, Any, Literal

import msgspec

from video_cam.rendering.summary_file import (
    CheckResult,
    FrameTestResult,
    MotionTestResult,
    ScoredClass,
    Sha256,
    TruthResult,
)
from video_cam.utils.files import check_regular, make_folder, open_regular, sync
from video_cam.utils.notes import Note
from video_cam.utils.strict_json import checked, parse_json
from video_cam.utils.text import json_text

RESULTS = "results.jsonl"
TABLE = "results.csv"
MAX_LINE_BYTES = 2**24  # a clip's line has about 1200; what is longer is no line of this program
_log = logging.getLogger(__name__)


class _Record(msgspec.Struct):
    """A line: the fields of jobs.ClipRecord. Older versions wrote fewer of them."""

    clip: str
    status: Literal["done", "failed", "skipped"]
    folder: str | None = None
    error: str | None = None
    prediction: ScoredClass | None = None
    check: CheckResult | None = None
    motion_test: MotionTestResult | None = None
    frame_test: FrameTestResult | None = None
    duration_seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    targets: list[ScoredClass] = []
    notes: list[Note] = []
    summary_sha256: Sha256 | None = None
    truth: TruthResult | None = None
    relative: str | None = None

    def __post_init__(self) -> None:
        if self.folder is None:
            return
        parts = PurePath(self.folder).parts
        if not parts or ".." in parts or PurePath(self.folder).is_absolute():
            raise ValueError("its folder is not in the output folder")
        if "/".join(parts) != self.folder:
            raise ValueError("its folder is not written as this program writes it")


def json_line(value: dict[str, Any]) -> bytes:
    """One line of JSON in UTF-8; bytes of a file name that are not UTF-8 are kept as escapes."""
    return f"{json_text(value)}\n".encode()


def append_records(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Append records with one write; they are on disk when this returns. To be called under a lock.

    A line that a crash or a full disk cut off before is ended first, so that the new lines are
    readable.

    Raises:
        OSError: where not all of it can be written, or ``path`` is no regular file; what was
            written in part is removed.
    """
    make_folder(path.parent)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        check_regular(file, path)
        size = os.fstat(file).st_size
        is_cut_off = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        data = b"\n" * is_cut_off + b"".join(map(json_line, records))
        if os.write(file, data) != len(data):
            os.ftruncate(file, size)
            # A short write to a file means that the disk is full.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
        if size == 0:
            sync(path.parent)
    finally:
        os.close(file)


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file one by one: with a million clips it is larger than a gigabyte.

    Raises:
        OSError: where there is no such file, or it is no regular one.
    """
    with open_regular(path) as file:
        while line := file.readline(MAX_LINE_BYTES):
            yield line.rstrip(b"\n")


def latest_records(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The last record of each clip, in the order of the clips' first records.

    Lines that hold no record are skipped. The file is read twice, and what is kept of a clip is
    its path and where its last line begins.

    Args:
        file: results.jsonl, open for reading from its beginning.

    Raises:
        OSError: where it cannot be read.
    """
    beginnings: dict[str, int] = {}
    num_damaged = place = 0
    while line := file.readline(MAX_LINE_BYTES):
        record = parse_record(line) if line.strip() else None
        if record is not None:
            beginnings[record["clip"]] = place
        elif line.strip():
            num_damaged += 1
        place += len(line)
    if num_damaged:
        _warn_once(num_damaged)
    for place in beginnings.values():
        file.seek(place)
        record = parse_record(file.readline(MAX_LINE_BYTES))
        if record is not None:  # it was, unless another program has changed the file meanwhile
            yield record


def parse_record(line: bytes) -> dict[str, Any] | None:
    """The record in a line; None where it holds something else."""
    try:
        record: dict[str, Any] = parse_json(line)
        checked(record, _Record)
    except ValueError:
        return None
    return record


@cache
def _warn_once(count: int) -> None:
    """A run reads the file several times."""
    _log.warning("%d damaged lines of %s are ignored", count, RESULTS)
