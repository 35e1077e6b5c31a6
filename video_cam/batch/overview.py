"""The files about all clips of an output folder: index.html and results.csv."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from video_cam.batch.results_file import TABLE
from video_cam.batch.results_table import table_header, table_row
from video_cam.evaluation.answers_view import answers_view
from video_cam.evaluation.counting import AnswersCounter
from video_cam.rendering.page.gallery import Gallery
from video_cam.utils.files import atomic_write


def write_overview(folder: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write the page and the table of records, each whole or not at all.

    The records are taken one by one and not kept: there may be a million.

    Args:
        folder: holds the clips' folders.
        records: the last one of each clip.

    Raises:
        OSError: where a file cannot be written, or the records cannot be read.
    """
    counter = AnswersCounter()
    with atomic_write(folder / TABLE) as table, Gallery(folder) as gallery:
        table.write(table_header())
        for record in records:
            table.write(table_row(record))
            counter.add(record)
            gallery.add(record)
        answers = counter.answers()
        gallery.write(None if answers is None else answers_view(answers))
