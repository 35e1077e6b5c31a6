"""<output-dir>/index.html: all clips of a run on one page, to sort, filter and open."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from video_cam.rendering.page.assets import CLIP_THUMBNAIL, ENVIRONMENT, read_asset
from video_cam.utils.files import write_atomically

# Key of a clip's values -> the column's heading.
COLUMNS = (
    ("name", "clip"),
    ("label", "class"),
    ("score", "score"),
    ("drop", "logit lost"),
    ("duration_seconds", "length"),
    ("status", "status"),
)


def write_gallery(output_dir: Path, results: Sequence[dict[str, Any]]) -> None:
    """Write the page of a folder of results, whole or not at all.

    Args:
        output_dir: holds the clips' folders; links and thumbnails are relative to it.
        results: the lines of results.jsonl. All their text is escaped.
    """
    rows = [_row(output_dir, result) for result in results]
    text = ENVIRONMENT.get_template("gallery.html").render(
        title=output_dir.resolve().name,
        counts=_counts(rows),
        columns=COLUMNS,
        rows=rows,
        statuses=sorted({row["status"] for row in rows}),
        labels=sorted({row["label"] for row in rows if row["label"]}),
        style=read_asset("page.css") + read_asset("gallery.css"),
        script=read_asset("gallery.js"),
    )
    # A file name may hold bytes that are not UTF-8.
    write_atomically(output_dir / "index.html", text.encode("utf-8", "replace"))


def _row(output_dir: Path, result: dict[str, Any]) -> dict[str, Any]:
    """One clip as the template needs it: a text for every cell, and the values to sort by."""
    folder, prediction = result.get("folder"), result.get("prediction")
    check = result.get("check")
    name = Path(result["clip"]).name
    picture = f"{folder}/{CLIP_THUMBNAIL}" if folder else None
    if picture and not (output_dir / picture).is_file():
        picture = None
    values = {
        "name": name,
        "label": prediction["label"] if prediction else None,
        "score": prediction["score"] if prediction else None,
        "drop": check["drop"] if check else None,
        "duration_seconds": result.get("duration_seconds"),
        "status": result["status"],
    }
    return {
        "clip": result["clip"],
        "name": name,
        "page": f"{folder}/index.html" if folder else None,
        "picture": picture,
        "status": result["status"],
        "error": result.get("error"),
        "notes": result.get("notes", ()),
        "label": values["label"] or "",
        "score": prediction["shown"] if prediction else "",
        "drop": _percent(values["drop"]),
        "check_sentence": check.get("sentence", "") if check else "",
        "duration": _clock(values["duration_seconds"]),
        "sort_values": json.dumps(values),
    }


def _counts(rows: Sequence[dict[str, Any]]) -> str:
    """Such as "3 done, 1 failed"."""
    counts = Counter(row["status"] for row in rows)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no clips"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _clock(seconds: float | None) -> str:
    """83.25 -> "1:23.25"."""
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:05.2f}"
