"""The command, run in a process of its own or read back from its output folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import run_video_cam
from video_cam.batch.results_file import RESULTS

ROOT = Path(run_video_cam.__file__).parent


BUNDLED = ("--model", "motion3d")


def command(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "run_video_cam.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


def results_in(out: Path) -> list[str]:
    """The names of the folders of results."""
    return sorted(p.parent.name for p in out.glob("*/summary.json"))


def assert_one_error_line(status: int, err: str, expected: int, words: str) -> None:
    assert status == expected
    assert words in err
    lines = err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), err


def rows_of(out: Path) -> list[dict]:
    """Every line of results.jsonl; each must be whole."""
    return [json.loads(line) for line in (out / RESULTS).read_text("utf-8").splitlines() if line]
