"""Annotations in tables: own CSV files, Kinetics' CSV, and Something-Something's answers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from video_cam.errors import UsageError
from video_cam.truth.clip_truth import Box, ClipTruth, Mask, RowCollector, TruthFile
from video_cam.truth.data_sets import kinetics_names
from video_cam.truth.text_files import not_readable
from video_cam.utils.text import for_terminal, shortened

CLIP_COLUMNS = ("clip", "path", "file", "video")
TRUTH_COLUMN = "truth"
_CLASS_COLUMNS = (TRUTH_COLUMN, "class", "label", "class_id")
_SIDES = ("left", "top", "right", "bottom")
MAX_SHOWN_LETTERS = 200  # of a header in a message
_KINETICS = {"youtube_id", "time_start", "time_end"}


class CsvRecords(Protocol):
    """What csv.reader returns."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


class _WrongCell(Exception):
    """A cell that does not hold what its column says; the message names both."""


def read_csv(path: Path, text: str) -> TruthFile:
    """The rows of a table with a header, or of Something-Something's answers without one.

    Raises:
        UsageError: where the columns are other ones.
    """
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count) if first else ","
    # strict: an unclosed quote would swallow the rows after it.
    records = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    limit = csv.field_size_limit(len(text) + 1)
    try:
        header = [name.strip().lower() for name in next(records, [])]
        if set(header) >= _KINETICS:
            return _kinetics(path, header, records)
        if not set(header) & set(CLIP_COLUMNS) and len(header) == 2 and header[0].isdecimal():
            return _answers(path, csv.reader(io.StringIO(text), delimiter=delimiter))
        return _own(path, header, records)
    except csv.Error as error:
        raise not_readable(path, f"line {records.line_num}: {error}") from error
    finally:
        csv.field_size_limit(limit)  # it holds for the whole process


def _own(path: Path, header: Sequence[str], records: CsvRecords) -> TruthFile:
    clip = next((name for name in CLIP_COLUMNS if name in header), None)
    known = {*_CLASS_COLUMNS, "start", "end", "frame", *_SIDES, "mask", "key", "time"}
    if clip is None or not set(header) & known:
        raise UsageError(
            f"ground truth {str(path)!r} has columns {_shown(header)}: expected clip "
            "and at least one of truth, start and end, frame with left, top, right, bottom or "
            "mask, time"
        )
    collected = RowCollector()
    for record in records:
        cells = {name: cell.strip() for name, cell in zip(header, record, strict=False)}
        where = f"{path.name} line {records.line_num}"
        if not any(cells.values()):
            continue
        if not cells.get(clip):
            collected.problems.append(f"{where}: names no clip")
            continue
        try:
            truth = _truth(cells, path.parent)
        except _WrongCell as error:
            collected.problems.append(f"{where}: {error}")
            continue
        collected.add(where, [cells[clip]], truth)
    return TruthFile(str(path), tuple(collected.rows), problems=tuple(collected.problems))


def _shown(header: Sequence[str]) -> str:
    return for_terminal(shortened(", ".join(header), MAX_SHOWN_LETTERS)) or "none"


def _truth(cells: Mapping[str, str], folder: Path) -> ClipTruth:
    # In a list of clips, "class" is what is explained where "truth" is another column.
    columns = _CLASS_COLUMNS[:1] if TRUTH_COLUMN in cells else _CLASS_COLUMNS
    class_name = next((cells[name] for name in columns if cells.get(name)), None)
    spans = boxes = masks = key_times = ()  # type: tuple
    if cells.get("start") or cells.get("end"):
        spans = ((_number(cells, "start"), _number(cells, "end")),)
    if any(cells.get(side) for side in _SIDES):
        boxes = (Box(_frame(cells), *(_number(cells, side) for side in _SIDES)),)
    if cells.get("mask"):
        masks = (Mask(_frame(cells), picture=str(folder / cells["mask"])),)
    if cells.get("time"):
        key_times = ((cells.get("key", ""), _number(cells, "time")),)
    return ClipTruth(class_name, spans, boxes, masks, key_times)


def _number(cells: Mapping[str, str], column: str) -> float:
    text = cells.get(column, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _WrongCell(f"{column} {text!r} is not a number")
    return value


def _frame(cells: Mapping[str, str]) -> int:
    text = cells.get("frame", "")
    if not text.isdecimal():
        raise _WrongCell(f"frame {text!r} is not the index of a frame, which a box and a mask need")
    return int(text)


def _kinetics(path: Path, header: Sequence[str], records: CsvRecords) -> TruthFile:
    """label,youtube_id,time_start,time_end,split: the clip is cut already, so there is no span."""
    if "label" not in header:
        raise UsageError(
            f"ground truth {str(path)!r} has no column label: the published test list of Kinetics "
            "names no classes; take that of its validation or training clips"
        )
    collected = RowCollector()
    for record in records:
        cells = dict(zip(header, record, strict=False))
        if cells.get("youtube_id"):
            times = cells.get("time_start", ""), cells.get("time_end", "")
            names = kinetics_names(cells["youtube_id"], *times)
            truth = ClipTruth(cells.get("label", "").strip())
            collected.add(f"{path.name} line {records.line_num}", names, truth)
    return TruthFile(str(path), tuple(collected.rows), True, tuple(collected.problems))


def _answers(path: Path, records: CsvRecords) -> TruthFile:
    """Something-Something's test answers: 1420;Turning the camera right while filming something."""
    collected = RowCollector()
    for record in records:
        if len(record) == 2:
            truth = ClipTruth(record[1].strip())
            collected.add(f"{path.name} line {records.line_num}", [record[0].strip()], truth)
    return TruthFile(str(path), tuple(collected.rows), True, tuple(collected.problems))
