"""Lists of clips in files: one path per line, or CSV with a class for each clip."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from video_cam.errors import UsageError

LIST_SUFFIXES = (".txt", ".csv")
_CLIP_COLUMNS = ("clip", "path", "file")
_CLASS_COLUMNS = ("class", "class_id", "label")

Entry = tuple[str, str | None]  # a path or glob, and the id or name of the class to explain


def is_list(path: Path) -> bool:
    """Whether the file is a list of clips, by its suffix."""
    return path.suffix.lower() in LIST_SUFFIXES and path.is_file()


def read_list(path: Path) -> list[Entry]:
    """The entries of a list of clips; relative paths start at the folder of the list.

    Args:
        path: a .txt file with one path per line, where empty lines and lines that begin with # are
            skipped; or a .csv file whose header has a column "clip" and optionally "class" (an id
            or a name). A clip with several classes takes several lines.

    Raises:
        UsageError: where the file cannot be read, has no column "clip", or lists no clips.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"list {str(path)!r} cannot be read: {error.strerror}") from error
    is_csv = path.suffix.lower() == ".csv"
    found = _csv_entries(path, text) if is_csv else _text_entries(text)
    entries = [(str(path.parent / clip), class_id) for clip, class_id in found]
    if not entries:
        raise UsageError(f"list {str(path)!r} lists no clips: expected one path per line")
    return entries


def _text_entries(text: str) -> Iterator[Entry]:
    for line in text.split("\n"):
        name = line.strip("\r\t ")
        if name and not name.startswith("#"):
            yield name, None


def _csv_entries(path: Path, text: str) -> Iterator[Entry]:
    lines = csv.DictReader(text.splitlines(keepends=True), skipinitialspace=True)
    header = [name.strip().lower() for name in lines.fieldnames or []]
    lines.fieldnames = header
    clip_column = next((name for name in _CLIP_COLUMNS if name in header), None)
    if clip_column is None:
        raise UsageError(
            f'list {str(path)!r} has no column "clip": its first line must name the columns, '
            "as in clip,class"
        )
    class_column = next((name for name in _CLASS_COLUMNS if name in header), None)
    try:
        for line in lines:
            if line[clip_column]:
                class_id = line[class_column] if class_column else None
                yield line[clip_column], (class_id or "").strip() or None
    except csv.Error as error:
        raise UsageError(f"list {str(path)!r}, line {lines.line_num}: {error}") from error
