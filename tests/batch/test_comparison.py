"""Runs that cannot be compared, and names of those that can."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import assert_one_error_line
from video_cam.batch.comparison import _names
from video_cam.batch.results_file import RESULTS, append_records
from video_cam.cli import compare


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    append_records(folder / RESULTS, [{"clip": "a", "status": "failed"}])
    return folder


@pytest.mark.parametrize(
    ("runs", "output_dir", "words"),
    [
        (["run"], "out", "two or more runs"),
        (["run", "missing"], "out", "holds no results.jsonl: give the --output-dir of a run"),
        (["run", "run"], "out", "a run is given twice"),
        (["run", "other"], "run", "holds a run, whose index.html would be replaced"),
        (["run", "other"], "out", "no finished clip in common"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    run_folder: Path, runs: list[str], output_dir: str, words: str, capsys
) -> None:
    parent = run_folder.parent
    append_records(parent / "other" / RESULTS, [{"clip": "b", "status": "failed"}])
    paths = [str(parent / run) for run in runs]
    status = compare.main([*paths, "--output-dir", str(parent / output_dir)])
    assert_one_error_line(status, capsys.readouterr().err, 2, words)
    assert not (parent / "out").exists()


def test_runs_are_called_by_the_ends_of_their_paths() -> None:
    assert _names([Path("/x/a"), Path("/x/b")]) == ["a", "b"]
    assert _names([Path("/x/a/out"), Path("/x/b/out")]) == ["a/out", "b/out"]
