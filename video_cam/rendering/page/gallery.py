"""<output-dir>/index.html: all clips of a run on one page, to sort, filter and open."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from typing import Any

from video_cam.rendering.page.assets import CLIP_THUMBNAIL, ENVIRONMENT, address, read_asset
from video_cam.rendering.page.policy import PagePolicy
from video_cam.rendering.page.script_data import script_json
from video_cam.utils.files import write_atomically
from video_cam.utils.notes import WARNING, Note
from video_cam.utils.text import for_page

# Key of a clip's values -> the column's heading. gallery.js has what a cell of each shows.
COLUMNS = (
    ("name", "clip"),
    ("label", "class"),
    ("score", "score"),
    ("drop", "score lost"),
    ("motion_share", "motion"),
    ("duration_seconds", "length"),
    ("status", "status"),
)
# With ground truth, these follow the columns that are named, where any clip has a value.
TRUTH_COLUMNS = {
    "name": [("answer", "answer"), ("truth", "truth")],
    "score": [("mass", "on event")],
}
RIGHT, WRONG = "right", "wrong"


def write_gallery(
    output_dir: Path, results: Sequence[dict[str, Any]], answers: Mapping[str, Any] | None = None
) -> None:
    """Write the page of a folder of results, whole or not at all.

    The page holds the clips as data, and its script draws the rows that are looked at.

    Args:
        output_dir: holds the clips' folders; links and thumbnails are relative to it.
        results: the lines of results.jsonl. All their text stays text; fields may be missing.
        answers: what the ground truth says, as ``evaluation.answers_view`` returns it.
    """
    data = _columns(results)
    columns = _shown_columns(data["rows"])
    data["columns"] = dict(columns)
    text = ENVIRONMENT.get_template("gallery.html").render(
        policy=PagePolicy(),
        title=output_dir.resolve().name,
        counts=_counts(results),
        columns=columns,
        statuses=data["statuses"],
        labels=data["labels"],
        truths=data["truths"],
        answers=answers,
        picture=CLIP_THUMBNAIL,
        data=script_json(data),
        style=read_asset("page.css") + read_asset("gallery.css"),
        script=read_asset("glossary.js") + read_asset("gallery.js"),
    )
    write_atomically(output_dir / "index.html", text.encode())


def _shown_columns(rows: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """Key and heading of each column."""
    columns = []
    for key, heading in COLUMNS:
        further = [one for one in TRUTH_COLUMNS.get(key, []) if any(map(_has_value, rows[one[0]]))]
        columns += [(key, heading), *further]
    is_judged = any(map(_has_value, rows["answer"]))
    return [(key, "predicted" if is_judged and key == "label" else text) for key, text in columns]


def _has_value(value: Any) -> bool:
    return value not in (None, "", -1)


def _columns(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The clips for the script: one list for each field, and tables of texts that repeat.

    Returns:
        labels, truths, statuses, folders (of clips, each with its last separator) and notes,
        sorted; and rows: field -> values, of which label, truth, status, folder and notes are
        positions in these tables, -1 for no label.
    """
    rows = [_row(result) for result in results]
    tables = {
        name: sorted({row[name] for row in rows if row[name] or name == "folder"})
        for name in ("label", "truth", "status", "folder")
    }
    fields: dict[str, list[Any]] = {
        name: [row[name] for row in rows] for name in _row({"clip": ""})
    }
    for name, table in tables.items():
        fields[name] = _positions(_position_of(table), fields[name])
    notes = sorted({note for row in rows for note in row["notes"]}, key=attrgetter("text", "kind"))
    place = {note: position for position, note in enumerate(notes)}
    fields["notes"] = [[place[note] for note in row["notes"]] for row in rows]
    return {
        "labels": tables["label"],
        "truths": tables["truth"],
        "statuses": tables["status"],
        "folders": tables["folder"],
        "notes": [asdict(note) for note in notes],
        "rows": fields,
    }


def _position_of(table: Sequence[str]) -> dict[str, int]:
    return {text: position for position, text in enumerate(table)}


def _positions(position_of: Mapping[str, int], texts: Iterable[str]) -> list[int]:
    return [position_of.get(text, -1) for text in texts]


def _row(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of one clip; missing text is empty, missing numbers are None."""
    prediction, check = result.get("prediction") or {}, result.get("check") or {}
    motion_test = result.get("motion_test") or {}
    truth = result.get("truth") or {}
    folder, separator, name = (result.get("relative") or result["clip"]).rpartition("/")
    return {
        "folder": for_page(folder + separator),
        "name": for_page(name),
        "results": address(result.get("folder") or "") or None,
        "label": _text(prediction.get("label")),
        "truth": _text(truth.get("label") or truth.get("name")),
        "answer": {True: RIGHT, False: WRONG, None: ""}[truth.get("correct")],
        "mass": _number((truth.get("measures") or {}).get("mass")),
        "score": _number(prediction.get("score")),
        "shown": _text(prediction.get("shown")),
        "drop": _number(check.get("drop")),
        "sentence": _text(check.get("sentence")),
        "motion_share": _number(motion_test.get("motion_share")),
        "motion_sentence": _text(motion_test.get("sentence")),
        "duration_seconds": _number(result.get("duration_seconds")),
        "status": _text(result.get("status")),
        "error": _text(result.get("error")),
        "notes": list(_notes(result)),
    }


def _notes(result: Mapping[str, Any]) -> Iterator[Note]:
    """The notes of a result, warnings first, and what its frame test found: it has no column."""
    for note in sorted(result.get("notes") or (), key=lambda note: note["kind"] != WARNING):
        yield Note(for_page(note["text"]), note["kind"])
    if frame_test := result.get("frame_test"):
        yield Note(for_page(f"frame test: {frame_test.get('sentence')}"))


def _text(value: Any) -> str:
    return for_page(value) if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _counts(results: Sequence[dict[str, Any]]) -> str:
    """Such as "3 done, 1 failed"."""
    counts = Counter(_text(result.get("status")) for result in results)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no clips"
