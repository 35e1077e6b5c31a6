"""``python -m video_cam.benchmark`` prints its tables and writes every row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.truth import command, measures, run, table
from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.check_power import CheckPower
from benchmarks.truth.options import NETWORK_NAMES
from models3d.tasks import TASKS
from video_cam import Classifier
from video_cam.choice_names import ALIGNMENT_NAMES
from video_cam.utils.progress import Progress

ROOT = Path(__file__).parents[2]
NAMES = {"method", "layer", "align", "detail", "source"}
PLAIN_CONTROLS = ["random", "centre Gaussian", "frame difference"]
MEASURES = {
    *("space_pointing", "space_time_pointing", "mass_in_event", "space_time_iou"),
    *("average_precision", "best_iou", "mass_on_distractors"),
    *("temporal_hit", "temporal_iou", "onset_error_frames", "lag_frames"),
    *("insertion", "deletion", "average_drop", "average_increase", "seconds"),
}


@pytest.fixture
def cheap(benchmark_clips: BenchmarkClips, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """No clips are drawn, and altered clips are scored without a network; what was asked for."""
    asked: dict[str, object] = {}

    def draw(
        model: Classifier, count: int, seed: int, progress: Progress, crowded: bool
    ) -> BenchmarkClips:
        asked.update(count=count, seed=seed, crowded=crowded)
        return benchmark_clips.first(count)

    def power(model: Classifier, clips: BenchmarkClips, method: str, layer: str) -> CheckPower:
        asked["check"] = (len(clips), method, layer)
        return CheckPower({"all": 0.9}, {"correct": 1.0})

    monkeypatch.setattr(run, "draw_benchmark_clips", draw)
    monkeypatch.setattr(run, "check_power", power)
    monkeypatch.setattr(
        measures, "class_probability", lambda model, class_id: lambda x: x.mean((1, 2, 3, 4))
    )
    return asked


def test_tables_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cheap: dict[str, object]
) -> None:
    arguments = ["--clips", "4", "--seed", "7", "--faithful-clips", "1", "--methods", "gradcam"]
    arguments += [
        "gradcam",
        "--crowded",
        "--layers",
        "layer4",
        "--json",
        str(tmp_path / "new" / "rows.json"),
    ]
    assert command.main([*arguments, "--units", "--output-dir", str(tmp_path / "out")]) == 0
    assert cheap == {"count": 4, "seed": 7, "crowded": True, "check": (2, "gradcam", "layer4")}
    printed = capsys.readouterr().out
    rows = json.loads((tmp_path / "new" / "rows.json").read_text())
    assert all(set(row) == NAMES | MEASURES for row in rows)
    own = [row for row in rows if row["source"] == "video_cam"]
    assert [row["align"] for row in own] == [*ALIGNMENT_NAMES, "probe", "probe"]
    assert [row["detail"] for row in own] == 5 * ["none"] + ["layers", "input"]
    # Each alignment moves the maps.
    assert len({row["lag_frames"]["mean"] for row in own[:4]}) == 4
    controls = [row["method"] for row in rows if row["source"] == "control"]
    products = ["gradcam x frame difference", "gradcam x edge strength"]
    assert controls == [*PLAIN_CONTROLS, *products, "gradcam, untrained"]
    for row in rows:
        for name in MEASURES:
            assert set(row[name]) == {"mean", "low", "high"}
            assert row[name]["mean"] is None or row[name]["low"] <= row[name]["mean"] + 1e-9
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    main_table, units = lines[: 2 + len(rows)], lines[2 + len(rows) : 2 + len(rows) + 2 + 7]
    # And all rows less the default maps, and three rows less each of the two products.
    assert len(lines) == 2 * len(main_table) + len(units) + 2 * 5
    assert len({line.count("|") for line in main_table}) == 1
    assert "insertion, frames, mean" in units[0] and "deletion, tubes, blur" in units[0]
    assert [line.split(" | ")[0] for line in units[2:]] == [
        "| gradcam layer4 receptive-field",
        *(f"| {name}" for name in PLAIN_CONTROLS),
        *(f"| {name} layer4 probe" for name in products),
        "| gradcam, untrained layer4 receptive-field",
    ]
    itself, *_ = [line for line in lines if line.startswith("| gradcam layer4 probe |")]
    assert itself.count("+0.00 (+0.00 to +0.00)") == len(table.MAIN_COLUMNS)
    assert "(2 clips): AUROC all 0.90; maps that pass: correct 100%" in printed
    assert (tmp_path / "out" / "benchmark.png").stat().st_size > 10_000
    report = (tmp_path / "out" / "benchmark.md").read_text()
    assert all(line in report for line in lines)


def test_the_names_of_networks_are_those_with_drawn_clips() -> None:
    assert set(NETWORK_NAMES) == set(TASKS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--methods", "gradkam"], "gradcam"),
        (["--model", "r3d_18"], "r3d_18"),
        (["--align", "middle"], "middle"),
        (["--detail", "pixels"], "pixels"),
        (["--layers", "layer9"], "did you mean layer4"),
        (["--faithful-clips", "0"], "must be 1 or more"),
        (["--json", "."], "'.' is a folder"),
        (["--output-dir", "README.md"], "README.md"),
    ],
)
def test_wrong_words_end_in_one_line_before_the_work(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "draw_benchmark_clips", None)
    monkeypatch.chdir(ROOT)
    assert command.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error:") and said in error and error.count("\n") == 1


def test_an_interrupt_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "draw_benchmark_clips", interrupted)
    assert command.main(["--json", str(tmp_path / "rows.json")]) == 130
    assert capsys.readouterr().err == "interrupted: nothing was written\n"
    assert not list(tmp_path.iterdir())
