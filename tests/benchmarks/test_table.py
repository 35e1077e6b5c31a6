"""Rows become Markdown, JSON and a chart."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.truth import table
from benchmarks.truth.table import TableRow


def row(
    align: str, shift: float = 0.0, source: str = "video_cam", detail: str = "none"
) -> TableRow:
    values = {name: np.array([0.25, 0.75]) + shift for name in table.COLUMNS}
    values |= {"mean_map_drop": np.array([0.25]), "mean_map_increase": np.array([0.0])}
    return TableRow("gradcam", "layer4", align, source, values, 0.02, detail)


def test_means_with_half_intervals_and_the_mean_map_in_brackets() -> None:
    head, _, line = table.markdown([row("corners")]).splitlines()
    cells = dict(zip(head.split(" | "), line.split(" | "), strict=True))
    assert cells["IoU"] == "0.50 ± 0.25" and cells["lag, frames"] == "+0.50 ± 0.25"
    assert cells["drop"] == "0.50 ± 0.25 (0.25)" and cells["ms a clip |"] == "20 |"


def test_differences_are_against_the_default_alignment() -> None:
    rows = [row("corners", 0.1), row("probe"), row("its own", -0.2, "captum")]
    [text] = table.difference_tables(rows)
    head, _, *lines = text.splitlines()
    assert head.startswith("| less gradcam layer4 probe |")
    assert lines[0].startswith("| gradcam layer4 corners | +0.10 (+0.10 to +0.10) |")
    assert lines[1].count("+0.00 (+0.00 to +0.00)") == len(table.MAIN_COLUMNS)
    assert lines[2].startswith("| captum gradcam layer4 its own | -0.20 ")


def test_own_maps_are_compared_with_each_control_made_of_the_default_map() -> None:
    rows = [row("corners"), row("probe"), row("probe", 0.2, detail="input")]
    rows += [row("", 0.3, "control"), row("probe", 0.1, "control")]
    _, text = table.difference_tables(rows)
    head, _, *lines = text.splitlines()
    assert head.startswith("| less gradcam layer4 probe |")
    assert [line.split(" |")[0] for line in lines] == [
        "| gradcam layer4 probe",
        "| gradcam layer4 probe detail input",
    ]
    assert "-0.10 (-0.10 to -0.10)" in lines[0] and "+0.10 (+0.10 to +0.10)" in lines[1]


def test_json_has_null_where_nothing_was_measured() -> None:
    one = row("corners")
    one.values["insertion"] = np.array([np.nan])
    [entry] = json.loads(json.dumps(table.as_json([one]), allow_nan=False))
    assert entry["insertion"] == {"mean": None, "low": None, "high": None}
    assert entry["space_pointing"] == {"mean": 0.5, "low": 0.25, "high": 0.75}
    assert entry["seconds"]["mean"] == 0.02


def test_units_have_one_column_each() -> None:
    one = TableRow("random", "", "", "control", {"insertion, frames, blur": np.array([0.5])}, 0.1)
    assert table.units_markdown([one]).splitlines() == [
        "| maps | insertion, frames, blur |",
        "| ---|--- |",
        "| random | 0.50 ± 0.00 |",
    ]


def test_chart_shows_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    table.draw_chart(path, [row("probe"), row("corners", 0.1, "control")])
    pixels = cv2.imread(str(path)).astype(int)
    blue, grey = (180, 119, 31), (127, 127, 127)  # BGR of tab:blue and tab:gray
    for colour in (blue, grey):
        assert (np.abs(pixels - colour).max(2) < 10).sum() > 200
    assert [file.name for file in tmp_path.iterdir()] == ["chart.png"]


def test_a_chart_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        table.draw_chart(tmp_path / "missing" / "chart.png", [row("probe")])
    assert not list(tmp_path.iterdir())
