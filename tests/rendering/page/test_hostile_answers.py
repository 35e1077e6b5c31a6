"""Class names and clips as a stranger may choose them, on the pages of answers and of two runs."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.gallery import write_gallery
from tests.support.hostile import TEXTS
from tests.support.records import answers_of, table_bytes
from video_cam.evaluation.answers_view import answers_view
from video_cam.evaluation.comparison import compare
from video_cam.evaluation.map_difference import MapDifference
from video_cam.rendering.page.comparison import write_comparison
from video_cam.utils.text import for_page

READY = "#count:not(:empty)"
NAMES = [text for text in TEXTS.values() if text.strip()]


def record(number: int, predicted: str) -> dict[str, Any]:
    truth = NAMES[number]
    is_right = predicted == truth
    return {
        "clip": f"in/{truth}",
        "folder": None,
        "status": "done",
        "prediction": {"class_id": 0, "label": predicted, "score": 0.5, "shown": "50%"},
        "truth": {
            "name": truth,
            "label": truth,
            "rank": 1 if is_right else 2,
            "correct": is_right,
            "num_classes": 99,
            "measures": None,
        },
    }


WRONG = [record(number, NAMES[number - 1]) for number in range(len(NAMES))]
RIGHT = [record(number, name) for number, name in enumerate(NAMES)]


def test_cells_with_hostile_names_filter(tmp_path: Path, open_page: Any) -> None:
    answers = answers_of(WRONG)
    assert answers is not None
    write_gallery(tmp_path, WRONG, answers_view(answers))
    assert TEXTS["markup"] not in (tmp_path / "index.html").read_text()
    page = open_page((tmp_path / "index.html").as_uri(), ready=READY)
    cells = page.locator(".matrix button").all()
    by_name = {cell.get_attribute("data-truth"): cell for cell in cells}
    for kind in ("markup", "attribute", "template", "newline", "surrogate"):
        by_name[for_page(TEXTS[kind])].click()
        assert page.inner_text("#count") == f"1 of {len(WRONG)} shown"


def test_two_runs_with_hostile_names(tmp_path: Path, open_page: Any) -> None:
    comparison = compare(NAMES[:2], [RIGHT, WRONG])
    difference = MapDifference(None, 0.0, 0.1, np.ones(3), 0.05, (1.0, 2.0))
    clips = [
        {
            "name": clip.name,
            "truth": clip.truth,
            "change": clip.change,
            "predictions": [one["prediction"] for one in clip.records],
            "correct": list(clip.correct),
            "correlations": [None],
            "difference": difference,
            "videos": [{"path": clip.name, "start_seconds": 0.0}] * 2,
            "timeline": [],
        }
        for clip in comparison.clips
    ]
    write_comparison(tmp_path, comparison.names, comparison.sentences(), clips)
    assert TEXTS["markup"] not in (tmp_path / "index.html").read_text()
    page = open_page((tmp_path / "index.html").as_uri(), ready=READY)
    assert page.locator("#clips tr").count() == len(NAMES)
    page.select_option("#change", "broken")
    assert page.inner_text("#count") == f"{len(NAMES)} of {len(NAMES)} shown"


def test_the_table_keeps_names_as_text() -> None:
    rows = list(csv.DictReader(io.StringIO(table_bytes(WRONG).decode(), newline="")))
    assert len(rows) == len(WRONG)
    for row, name in zip(rows, NAMES, strict=True):
        shown = for_page(name)
        assert row["truth"] in (shown, f"'{shown}")
        assert not row["truth"].startswith(("=", "+", "-", "@"))
