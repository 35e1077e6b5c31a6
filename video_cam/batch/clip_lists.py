"""Lists of clips in files: one path per line, or CSV with a class for each clip."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from video_cam.batch.clip_paths import kind_of
from video_cam.errors import UsageError

LIST_SUFFIXES = (".txt", ".csv")
LONGEST_PATH = 4096  # characters; what is longer is no path, and fails alone
_CLIP_COLUMNS = ("clip", "path", "file")
_CLASS_COLUMNS = ("class", "class_id", "label")
# Text has few control characters, and text in another encoding than UTF-8 has few of them too:
# a file counts as binary where a part of it is control characters and much of it is no text.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_UNDECODED = re.compile("[\ud800-\udfff]")
_BINARY_CONTROL, _BINARY_CONTROL_OR_UNDECODED = 0.05, 0.3  # shares of the characters
_EXAMINED = 65536  # characters

Entry = tuple[str, str | None]  # a path or glob, and the id or name of the class to explain


def is_list(path: Path) -> bool:
    """Whether the file is a list of clips, by its suffix."""
    try:
        return path.suffix.lower() in LIST_SUFFIXES and path.is_file()
    except (OSError, ValueError):  # such as a name that is too long
        return False


def read_list(path: Path) -> list[Entry]:
    """The entries of a list of clips; relative paths start at the folder of the list.

    Args:
        path: a .txt file with one path per line, where empty lines and lines that begin with # are
            skipped; or a .csv file whose header has a column "clip" and optionally "class" (an id
            or a name). A clip with several classes takes several lines. UTF-8, or UTF-16 with a
            byte order mark.

    Raises:
        UsageError: where the file cannot be read, is no text, has no column "clip", or lists no
            clips.
    """
    text = _read_text(path)
    is_csv = path.suffix.lower() == ".csv"
    found = _csv_entries(path, text) if is_csv else _text_entries(text)
    entries = [(str(path.parent / clip[:LONGEST_PATH]), class_id) for clip, class_id in found]
    if not entries:
        raise UsageError(f"list {str(path)!r} lists no clips: expected one path per line")
    return entries


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"list {str(path)!r} cannot be read: {error.strerror}") from error
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        text = data.decode("utf-8-sig", "surrogateescape")
    if _is_binary(text[:_EXAMINED]):
        raise UsageError(
            f"list {str(path)!r} is not text: expected one path per line, in UTF-8 or in UTF-16 "
            "with a byte order mark"
        )
    return text.replace("\0", "\ufffd")  # no file has such a name: its line fails alone


def _is_binary(text: str) -> bool:
    control, undecoded = (len(kind.findall(text)) for kind in (_CONTROL, _UNDECODED))
    return control > _BINARY_CONTROL * len(
        text
    ) and control + undecoded > _BINARY_CONTROL_OR_UNDECODED * len(text)


def _text_entries(text: str) -> list[Entry]:
    names = (line.strip("\r\t ") for line in text.split("\n"))
    return [(name, None) for name in names if name and not name.startswith("#")]


def _csv_entries(path: Path, text: str) -> list[Entry]:
    entries: list[Entry] = []
    with _fields_of_any_size(len(text)):
        lines = list(io.StringIO(text, newline=""))
        records = csv.reader(lines, skipinitialspace=True)
        columns = _columns(path, next(records, []))
        read = records.line_num
        for record in records:
            own_lines = lines[read : records.line_num]
            read = records.line_num
            found = [_entry(record, columns)]
            if _has_unclosed_quote(path, found[0], own_lines, is_last=read == len(lines)):
                found = [_entry(_fields(line), columns) for line in own_lines]
            entries += filter(None, found)
    return entries


def _fields(line: str) -> list[str]:
    """The fields of a record that is this line and nothing more."""
    return next(csv.reader([line.rstrip("\r\n")], skipinitialspace=True), [])


def _entry(record: Sequence[str], columns: tuple[int, int | None]) -> Entry | None:
    clip, class_id = (
        record[index] if index is not None and index < len(record) else "" for index in columns
    )
    return (clip, class_id.strip() or None) if clip else None


def _has_unclosed_quote(
    path: Path, entry: Entry | None, lines: Sequence[str], *, is_last: bool
) -> bool:
    """Whether a record has taken in the lines after its own, which are records of their own."""
    if len(lines) == 1:
        return False
    if is_last and sum(line.count('"') for line in lines) % 2:
        return True
    if entry is None or not any(mark in "".join(filter(None, entry)) for mark in "\r\n"):
        return False  # several lines in a column that is not read
    return not kind_of(path.parent / entry[0])


def _columns(path: Path, header: Sequence[str]) -> tuple[int, int | None]:
    """The positions of the column of clips and of that of classes, where there is one."""
    names = [name.strip().lower() for name in header]
    clip, class_id = (
        next((names.index(one) for one in known if one in names), None)
        for known in (_CLIP_COLUMNS, _CLASS_COLUMNS)
    )
    if clip is None:
        raise UsageError(
            f'list {str(path)!r} has no column "clip": its first line must name the columns, '
            "as in clip,class"
        )
    return clip, class_id


@contextmanager
def _fields_of_any_size(size: int) -> Iterator[None]:
    """The csv module refuses fields above a limit that holds for the whole process."""
    limit = csv.field_size_limit(size + 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
