"""The files about all clips of an output folder: index.html and results.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from video_cam.batch.results_file import TABLE
from video_cam.batch.results_table import table_bytes
from video_cam.evaluation.answers import answers_of
from video_cam.evaluation.answers_view import answers_view
from video_cam.rendering.page.gallery import write_gallery
from video_cam.utils.files import write_atomically


def write_overview(folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write the page and the table of records, each whole or not at all.

    Args:
        folder: holds the clips' folders.
        records: the last one of each clip.
    """
    answers = answers_of(records)
    write_gallery(folder, records, None if answers is None else answers_view(answers))
    write_atomically(folder / TABLE, table_bytes(records))
