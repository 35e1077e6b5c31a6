"""<output-dir>/index.html: every clip of a run on one page, to sort, filter and open."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from video_cam.rendering.page.assets import ENVIRONMENT, FOLDER, read_asset

PICTURE = f"{FOLDER}/thumbnail.jpg"
COLUMNS = (
    ("name", "clip"),
    ("label", "class"),
    ("score", "score"),
    ("drop", "logit lost"),
    ("duration_seconds", "length"),
    ("status", "status"),
)


def write_gallery(output_dir: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the page of a folder of results, all at once, from the lines of results.jsonl.

    Links are relative; thumbnails are those that the clips' folders hold. Everything a row brings
    is escaped.
    """
    shown = [_row(output_dir, row) for row in rows]
    text = ENVIRONMENT.get_template("gallery.html").render(
        title=output_dir.resolve().name,
        counts=_counts(shown),
        columns=COLUMNS,
        rows=shown,
        statuses=sorted({row["status"] for row in shown}),
        labels=sorted({row["label"] for row in shown if row["label"]}),
        style=read_asset("page.css") + read_asset("gallery.css"),
        script=read_asset("gallery.js"),
    )
    partial = output_dir / f".index.html.{os.getpid()}.part"
    try:
        partial.write_bytes(text.encode("utf-8", "replace"))  # a file name may hold any bytes
        partial.replace(output_dir / "index.html")
    finally:
        partial.unlink(missing_ok=True)


def _row(output_dir: Path, row: dict[str, Any]) -> dict[str, Any]:
    """One clip as the template wants it: text for every cell, and values to sort by."""
    folder, prediction, check = row.get("folder"), row.get("prediction"), row.get("check")
    name = Path(row["clip"]).name
    page = f"{folder}/index.html" if folder else None
    picture = f"{folder}/{PICTURE}" if folder else None
    if picture and not (output_dir / picture).is_file():
        picture = None
    values = {
        "name": name,
        "label": prediction["label"] if prediction else None,
        "score": prediction["score"] if prediction else None,
        "drop": check["drop"] if check else None,
        "duration_seconds": row.get("duration_seconds"),
        "status": row["status"],
    }
    return {
        "clip": row["clip"],
        "name": name,
        "page": page,
        "picture": picture,
        "status": row["status"],
        "error": row.get("error"),
        "label": values["label"] or "",
        "score": prediction["shown"] if prediction else "",
        "drop": _percent(values["drop"]),
        "check_sentence": check.get("sentence", "") if check else "",
        "duration": _clock(values["duration_seconds"]),
        "sort_values": json.dumps(values),
    }


def _counts(rows: Sequence[dict[str, Any]]) -> str:
    counts = Counter(row["status"] for row in rows)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no clips"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:05.2f}"
