"""Lists of clips in files: one path per line, or CSV with a class for each clip."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from video_cam.errors import UsageError

LIST_SUFFIXES = (".txt", ".csv")
_CLIP_COLUMNS = ("clip", "path", "file")
_CLASS_COLUMNS = ("class", "class_id", "label")

Entry = tuple[str, str | None]  # a path or glob, and the class to explain in it


def is_list(path: Path) -> bool:
    """Whether the name is that of a list of clips."""
    return path.suffix.lower() in LIST_SUFFIXES and path.is_file()


def read_list(path: Path) -> list[Entry]:
    """The entries of a .txt or .csv file; relative paths start from the list's own folder.

    .txt: a path on each line; empty lines and those that begin with # are skipped. .csv: a header
    with a column "clip" and perhaps "class" (an id or a name; a clip with several classes has
    several rows). Raises UsageError where there is nothing of the kind.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"list {str(path)!r} cannot be read: {error.strerror}") from error
    rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _lines(text)
    entries = [(str(path.parent / clip), class_id) for clip, class_id in rows]
    if not entries:
        raise UsageError(f"list {str(path)!r} names no clips: expected a path on each line")
    return entries


def _lines(text: str) -> Iterator[Entry]:
    for line in text.split("\n"):
        name = line.strip("\r\t ")
        if name and not name.startswith("#"):
            yield name, None


def _csv_rows(path: Path, text: str) -> Iterator[Entry]:
    rows = csv.DictReader(text.splitlines(keepends=True), skipinitialspace=True)
    header = [name.strip().lower() for name in rows.fieldnames or []]
    rows.fieldnames = header
    clip_column = next((name for name in _CLIP_COLUMNS if name in header), None)
    if clip_column is None:
        raise UsageError(
            f'list {str(path)!r} has no column "clip": its first line must name the columns, '
            "as in clip,class"
        )
    class_column = next((name for name in _CLASS_COLUMNS if name in header), None)
    try:
        for row in rows:
            if row[clip_column]:
                named = row[class_column] if class_column else None
                yield row[clip_column], (named or "").strip() or None
    except csv.Error as error:
        raise UsageError(f"list {str(path)!r}, line {rows.line_num}: {error}") from error
