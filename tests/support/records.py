"""Records of clips, the lines of results.jsonl, for tests: as lists, and what is made of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from video_cam.batch.results_file import latest_records
from video_cam.batch.results_table import table_header, table_row
from video_cam.evaluation.answers import Answers
from video_cam.evaluation.counting import AnswersCounter


def latest_in(data: bytes) -> list[dict[str, Any]]:
    """The last record of each clip in the content of a results.jsonl."""
    return list(latest_records(io.BytesIO(data)))


def answers_of(records: Iterable[Mapping[str, Any]]) -> Answers | None:
    """The answers of a run; None where no record has a truth."""
    counter = AnswersCounter()
    for record in records:
        counter.add(record)
    return counter.answers()


def table_bytes(records: Iterable[Mapping[str, Any]]) -> bytes:
    """The content of results.csv."""
    return b"".join([table_header(), *map(table_row, records)])
