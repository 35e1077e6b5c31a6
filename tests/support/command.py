"""The command, run here or in a process of its own, and its results read back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import run_video_cam
from tests.support.thread_worker import ThreadWorker
from video_cam.batch import supervision
from video_cam.batch.results_file import RESULTS

ROOT = Path(run_video_cam.__file__).parent
SCRIPT = ROOT / "run_video_cam.py"

BUNDLED = ("--model", "motion3d")

Run = Callable[..., tuple[int, str, str]]  # words -> exit status, stdout, stderr


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder that does not exist yet."""
    return tmp_path / "out"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], out: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command and its worker in this process, with ``out`` as its output folder."""
    monkeypatch.setattr(supervision, "Worker", ThreadWorker)

    def run_here(*arguments: object) -> tuple[int, str, str]:
        words = [*map(str, arguments), "--output-dir", str(out)]
        try:
            status = run_video_cam.main(words)
        except SystemExit as exit_:  # raised by argparse
            status = int(exit_.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_here


def command(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, after it has ended."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


def results_in(out: Path) -> list[str]:
    """The names of the folders with results."""
    return sorted(p.parent.name for p in out.glob("*/summary.json"))


def assert_one_error_line(status: int, err: str, expected: int, words: str) -> None:
    """The exit status is the expected one, and stderr is one line that contains ``words``."""
    assert status == expected
    assert words in err
    lines = err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), err


def records_in(out: Path) -> list[dict]:
    """Every line of results.jsonl; each must be a whole record."""
    return [json.loads(line) for line in (out / RESULTS).read_text("utf-8").splitlines() if line]
