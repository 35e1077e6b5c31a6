"""What the page of all clips shows of each clip, as its script takes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Any

from video_cam.rendering.page.assets import address
from video_cam.utils.notes import WARNING, Note
from video_cam.utils.text import for_page, unbroken

RIGHT, WRONG = "right", "wrong"
# Fields whose texts repeat: a row holds a position in a table of all clips, -1 for no text.
TABLED = ("label", "truth", "status", "answer")
# Fields that are numbers, None where one is missing.
NUMBERS = ("score", "mass", "drop", "motion_share", "duration_seconds")
Row = dict[str, Any]


class Tables:
    """The texts of the fields of TABLED, in the order in which they came.

    Attributes:
        texts: field -> its texts.
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {field: [] for field in TABLED}
        self._positions: dict[str, dict[str, int]] = {field: {"": -1} for field in TABLED}

    def position(self, field: str, text: str) -> int:
        """Of a text in its table, where it is added when it is new; -1 of an empty one."""
        positions = self._positions[field]
        if text not in positions:
            positions[text] = len(self.texts[field])
            self.texts[field].append(text)
        return positions[text]


def row_of(result: Mapping[str, Any], tables: Tables) -> Row:
    """What the page shows of one clip; missing text is empty, missing numbers are None.

    Args:
        result: a line of results.jsonl. All its text stays text; fields may be missing.
        tables: get the texts of the fields of TABLED.
    """
    prediction, check = result.get("prediction") or {}, result.get("check") or {}
    motion_test = result.get("motion_test") or {}
    truth = result.get("truth") or {}
    folder, separator, name = (result.get("relative") or result["clip"]).rpartition("/")
    tabled = {
        "label": _text(prediction.get("label")),
        "truth": _text(truth.get("label") or truth.get("name")),
        "status": _text(result.get("status")),
        "answer": {True: RIGHT, False: WRONG, None: ""}[truth.get("correct")],
    }
    return {
        "folder": for_page(folder + separator),
        "name": for_page(name),
        "results": address(result.get("folder") or "") or None,
        **{field: tables.position(field, text) for field, text in tabled.items()},
        "mass": _number((truth.get("measures") or {}).get("mass")),
        "score": _number(prediction.get("score")),
        "shown": _text(prediction.get("shown")),
        "drop": _number(check.get("drop")),
        "sentence": unbroken(_text(check.get("sentence"))),
        "motion_share": _number(motion_test.get("motion_share")),
        "motion_sentence": unbroken(_text(motion_test.get("sentence"))),
        "duration_seconds": _number(result.get("duration_seconds")),
        "error": _text(result.get("error")),
        "notes": list(_notes(result)),
    }


def columns_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows as one list for each field, which takes less than an object for each row.

    Returns:
        folders (of clips, each with its last separator) and notes, sorted; and rows: field ->
        values, of which folder and notes are positions in these two.
    """
    folders = sorted({row["folder"] for row in rows})
    notes = sorted({note for row in rows for note in row["notes"]}, key=attrgetter("text", "kind"))
    folder_at, note_at = _positions(folders), _positions(notes)
    columns: dict[str, list[Any]] = {
        field: [row[field] for row in rows] for field in (rows[0] if rows else ())
    }
    if rows:
        columns["folder"] = [folder_at[folder] for folder in columns["folder"]]
        columns["notes"] = [[note_at[note] for note in own] for own in columns["notes"]]
    return {"folders": folders, "notes": [asdict(note) for note in notes], "rows": columns}


def _positions(values: Iterable[Any]) -> dict[Any, int]:
    return {value: position for position, value in enumerate(values)}


def _notes(result: Mapping[str, Any]) -> Iterator[Note]:
    """The notes of a result, warnings first, and what its frame test found: it has no column."""
    for note in sorted(result.get("notes") or (), key=lambda note: note["kind"] != WARNING):
        yield Note(unbroken(for_page(note["text"])), note["kind"])
    if frame_test := result.get("frame_test"):
        yield Note(unbroken(for_page(f"frame test: {frame_test.get('sentence')}")))


def _text(value: Any) -> str:
    return for_page(value) if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None
