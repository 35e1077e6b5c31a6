"""results.csv: one row for each clip, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from video_cam.evaluation.answers import MEASURES
from video_cam.utils.text import for_page

COLUMNS = (
    *("clip", "truth", "predicted", "score", "correct", "state", "rank", "duration_seconds"),
    *("folder", *MEASURES, "error"),
)
# A spreadsheet would run what begins with one of these.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table_header() -> bytes:
    """The first line, in UTF-8."""
    return _line(COLUMNS)


def table_row(record: Mapping[str, Any]) -> bytes:
    """The row of a clip, in UTF-8.

    Returns:
        clip: as it was given, or from the folder that was; truth and predicted: labels of the
        network (the truth as it was given where the network has no such class); correct: true,
        false or empty; state: done, failed or skipped; rank: the truth's place among the
        predictions; the measures of the first map against the event.
    """
    row = _row(record)
    return _line([row[name] for name in COLUMNS])


def _line(values: Sequence[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    truth, prediction = record.get("truth") or {}, record.get("prediction") or {}
    correct, measures = truth.get("correct"), truth.get("measures") or {}
    row = {
        "clip": record.get("relative") or record["clip"],
        "truth": truth.get("label") or truth.get("name"),
        "predicted": prediction.get("label"),
        "score": prediction.get("score"),
        "correct": None if correct is None else str(correct).lower(),
        "state": record.get("status"),
        "rank": truth.get("rank"),
        "duration_seconds": record.get("duration_seconds"),
        "folder": record.get("folder"),
        "error": record.get("error"),
    }
    row |= {name: measures.get(name) for name in MEASURES}
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    """Text on which no spreadsheet computes, without control characters; numbers as they are."""
    if not isinstance(value, str):
        return value
    text = for_page(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
