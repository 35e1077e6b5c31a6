"""Files from unknown sources: an error line or frames, never a crash, a hang or a traceback."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.support.command import ROOT
from tests.support.hostile import NUM_MUTANTS, gif, mutants, png_bomb, raw_bomb
from tests.support.loader_child import MEMORY, SECONDS_PER_FILE


def load(files: list[Path]) -> list[str]:
    """One line on each file, from a process with little memory and time."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.loader_child"],
        cwd=ROOT,
        input="".join(f"{file}\n" for file in files),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{files[len(lines)]}: status {done.returncode}\n{done.stderr}"
    return lines


def test_damaged_files_of_many_containers(tmp_path: Path) -> None:
    files = mutants(tmp_path)
    lines = load(files)
    assert len(lines) == len(files) == NUM_MUTANTS
    tracebacks = [line for line in lines if line.startswith("TRACEBACK")]
    assert not tracebacks, "\n".join(tracebacks)
    # Both outcomes are frequent; otherwise the damage is too small or too large to test anything.
    assert min(sum(line.startswith(w) for line in lines) for w in ("read", "refused")) > 100


def test_decompression_bombs_are_refused(tmp_path: Path) -> None:
    bombs = {
        png_bomb(tmp_path / "still.png"): "100000x100000",
        png_bomb(tmp_path / "still.png.dat"): "",
        raw_bomb(tmp_path / "raw.y4m"): "",
        gif(tmp_path / "wide.gif", 2, 65535, 65535): "",
        gif(tmp_path / "long.gif", 1_000_000): "more than 500000 frames",
    }
    began = time.monotonic()
    for line, words in zip(load(list(bombs)), bombs.values(), strict=True):
        assert line.startswith("refused") and words in line, line
    assert time.monotonic() - began < SECONDS_PER_FILE and MEMORY < 10 << 30
