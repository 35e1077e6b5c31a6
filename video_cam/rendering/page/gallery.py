"""<output-dir>/index.html: all clips of a run on one page, to sort, filter and open."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from video_cam.rendering.page.assets import CLIP_THUMBNAIL, ENVIRONMENT, address, read_asset
from video_cam.rendering.page.policy import PagePolicy
from video_cam.rendering.page.script_data import script_json
from video_cam.utils.files import write_atomically
from video_cam.utils.text import for_page

# Key of a clip's values -> the column's heading.
COLUMNS = (
    ("name", "clip"),
    ("label", "class"),
    ("score", "score"),
    ("drop", "logit lost"),
    ("motion_share", "motion"),
    ("duration_seconds", "length"),
    ("status", "status"),
)


def write_gallery(output_dir: Path, results: Sequence[dict[str, Any]]) -> None:
    """Write the page of a folder of results, whole or not at all.

    The page holds the clips as data, and its script draws the rows that are looked at.

    Args:
        output_dir: holds the clips' folders; links and thumbnails are relative to it.
        results: the lines of results.jsonl. All their text stays text; fields may be missing.
    """
    data = _columns(results)
    text = ENVIRONMENT.get_template("gallery.html").render(
        policy=PagePolicy(),
        title=output_dir.resolve().name,
        counts=_counts(results),
        columns=COLUMNS,
        statuses=data["statuses"],
        labels=data["labels"],
        picture=CLIP_THUMBNAIL,
        data=script_json(data),
        style=read_asset("page.css") + read_asset("gallery.css"),
        script=read_asset("gallery.js"),
    )
    write_atomically(output_dir / "index.html", text.encode())


def _columns(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The clips for the script: one list for each field, and tables of texts that repeat.

    Returns:
        labels, statuses, folders (of clips, each with its last separator) and notes, sorted; and
        rows: field -> values, of which label, status, folder and notes are positions in these
        tables, -1 for no label.
    """
    rows = [_row(result) for result in results]
    tables = {
        name: sorted({row[name] for row in rows if row[name] or name == "folder"})
        for name in ("label", "status", "folder")
    }
    fields: dict[str, list[Any]] = {
        name: [row[name] for row in rows] for name in _row({"clip": ""})
    }
    for name, table in tables.items():
        fields[name] = _positions(_position_of(table), fields[name])
    notes = sorted({note for row in rows for note in row["notes"]})
    position_of_note = _position_of(notes)
    fields["notes"] = [_positions(position_of_note, row["notes"]) for row in rows]
    return {
        "labels": tables["label"],
        "statuses": tables["status"],
        "folders": tables["folder"],
        "notes": notes,
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
    folder, separator, name = result["clip"].rpartition("/")
    return {
        "folder": for_page(folder + separator),
        "name": for_page(name),
        "results": address(result.get("folder") or "") or None,
        "label": _text(prediction.get("label")),
        "score": _number(prediction.get("score")),
        "shown": _text(prediction.get("shown")),
        "drop": _number(check.get("drop")),
        "sentence": _text(check.get("sentence")),
        "motion_share": _number(motion_test.get("motion_share")),
        "motion_sentence": _text(motion_test.get("sentence")),
        "duration_seconds": _number(result.get("duration_seconds")),
        "status": _text(result.get("status")),
        "error": _text(result.get("error")),
        "notes": [_text(note) for note in result.get("notes") or ()],
    }


def _text(value: Any) -> str:
    return for_page(value) if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _counts(results: Sequence[dict[str, Any]]) -> str:
    """Such as "3 done, 1 failed"."""
    counts = Counter(_text(result.get("status")) for result in results)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no clips"
