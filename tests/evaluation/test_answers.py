"""Accuracy, confusions and means over the records of a run, worked out by hand."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest

from tests.support.records import answers_of, table_bytes
from video_cam.evaluation.answers import Answers, sentences
from video_cam.evaluation.answers_view import MAX_MATRIX_CLASSES, answers_view
from video_cam.utils.intervals import MANY, bootstrap, mean_interval, wilson


def record(
    truth: str | None, predicted: str, score: float, rank: int = 1, mass: float | None = None
) -> dict[str, Any]:
    measures = None if mass is None else {"mass": mass, "lag_seconds": None}
    answer = {
        "name": truth,
        "label": truth,
        "rank": rank,
        "correct": rank == 1,
        "num_classes": 9,
        "measures": measures,
    }
    return {
        "clip": f"in/{truth}-{predicted}-{score}.mp4",
        "status": "done",
        "prediction": {"class_id": 0, "label": predicted, "score": score, "shown": ""},
        "truth": None if truth is None else answer,
    }


FAILED = {"clip": "bad.mp4", "status": "failed", "error": "no", "truth": {"name": "=spin"}}
RECORDS = [
    record("spin", "spin", 0.9, mass=0.8),
    record("spin", "grow", 0.7, 2, mass=0.1),
    record("spin", "grow", 0.6, 7, mass=0.3),
    record("grow", "grow", 0.5, mass=0.6),
    record(None, "grow", 0.5),
    FAILED,
]


@pytest.fixture
def answers() -> Answers:
    found = answers_of(RECORDS)
    assert found is not None
    return found


def test_accuracy_precision_and_recall(answers: Answers) -> None:
    assert (answers.num_right, answers.num_clips, answers.num_failed) == (2, 4, 1)
    assert answers.top1.mean == 0.5 and answers.top5 is not None and answers.top5.mean == 0.75
    grow, spin = answers.classes
    assert (grow.label, grow.recall, grow.precision) == ("grow", 1.0, 1 / 3)
    assert (spin.label, spin.recall, spin.precision) == ("spin", 1 / 3, 1.0)
    assert spin.measures["mass"] == pytest.approx(0.4) and spin.measures["lag_seconds"] is None
    assert answers.confusions == {
        ("spin", "spin"): 1,
        ("spin", "grow"): 2,
        ("grow", "grow"): 1,
    }


def test_maps_of_right_and_of_wrong_predictions(answers: Answers) -> None:
    [mass] = answers.measures
    assert (mass.name, mass.counts) == ("mass", (2, 2))
    assert mass.all.mean == pytest.approx(0.45)
    assert mass.right.mean == pytest.approx(0.7) and mass.wrong.mean == pytest.approx(0.2)


def test_they_are_said_in_a_few_sentences(answers: Answers) -> None:
    low, high = (100 * end for end in wilson(2, 4)[1:])
    assert sentences(answers) == [
        f"accuracy 50.0 %: 2 of 4 right (95 % Wilson interval {low:.1f} % to {high:.1f} %); "
        "top-5 75.0 %",
        "most frequent errors: spin taken for grow 2x",
        "45.0 % of the heat lies on the event: 70.0 % where the prediction is right, 20.0 % where "
        "it is wrong",
        "1 clip failed and is not counted",
    ]
    assert answers.as_json()["top1"]["mean"] == 0.5
    assert answers_of([record(None, "spin", 0.5)]) is None


def test_the_matrix_has_a_cell_for_each_pair(answers: Answers) -> None:
    matrix = answers_view(answers)["matrix"]
    assert matrix["labels"] == ["grow", "spin"] and matrix["num_others"] == 0
    counts = [[cell["count"] for cell in row] for row in matrix["rows"]]
    assert counts == [[1, 0], [2, 1]]
    assert matrix["rows"][1][0] == {
        "truth": "spin",
        "predicted": "grow",
        "count": 2,
        "share": 0.667,
    }


def test_of_many_classes_the_matrix_has_those_with_most_errors() -> None:
    right = [record(f"c{number:03d}", f"c{number:03d}", 0.5) for number in range(50)]
    found = answers_of([*right, record("c040", "c049", 0.9, 2)])
    assert found is not None
    matrix = answers_view(found)["matrix"]
    assert len(matrix["labels"]) == MAX_MATRIX_CLASSES and matrix["num_others"] == 20
    assert {"c040", "c049"} <= set(matrix["labels"])


def test_the_wilson_interval_solves_its_equation() -> None:
    for right, clips in ((0, 5), (1, 5), (5, 5), (17, 60), (300, 1000)):
        share, low, high = wilson(right, clips)
        assert share == right / clips and 0 <= low <= share <= high <= 1
        for end in {low, high} - {0.0, 1.0}:
            assert (end - share) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / clips)
    assert math.isnan(wilson(0, 0).mean)


def test_the_interval_of_many_values_is_the_normal_one() -> None:
    values = [0.0, 1.0] * (MANY // 2)
    drawn, normal = bootstrap(values), mean_interval([*values, 0.5])
    assert normal.low == pytest.approx(drawn.low, abs=2e-3)
    assert normal.high == pytest.approx(drawn.high, abs=2e-3)
    assert mean_interval(values) == drawn


def test_the_table_has_a_row_for_each_clip() -> None:
    rows = list(csv.DictReader(io.StringIO(table_bytes(RECORDS).decode())))
    first = ["clip", "truth", "predicted", "score", "correct", "state"]
    assert list(rows[0])[:6] == first
    assert [row["correct"] for row in rows] == ["true", "false", "false", "true", "", ""]
    assert [row["state"] for row in rows] == ["done"] * 5 + ["failed"]
    assert [rows[1][name] for name in first] == [
        "in/spin-grow-0.7.mp4",
        *("spin", "grow", "0.7", "false", "done"),
    ]
    assert rows[1]["mass"] == "0.1" and rows[1]["lag_seconds"] == ""
    assert rows[5]["truth"] == "'=spin"  # no formula of a spreadsheet
    named = table_bytes([RECORDS[0] | {"relative": "spin/a.mp4"}]).decode().splitlines()[1]
    assert named.startswith("spin/a.mp4,spin,spin,0.9,true,done,1,")
