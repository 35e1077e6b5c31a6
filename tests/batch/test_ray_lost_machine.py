"""A machine of a Ray cluster is lost in the middle of a run, and another one joins.

VIDEO_CAM_CLUSTERS=1 pytest tests/batch/test_ray_lost_machine.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import run_video_cam
from tests.support.command import ROOT, results_in
from tests.support.media import write_clip


@pytest.mark.skipif(
    "VIDEO_CAM_CLUSTERS" not in os.environ,
    reason="VIDEO_CAM_CLUSTERS is not set: its two clusters take a minute of CPU time",
)
def test_nothing_is_lost(tmp_path: Path) -> None:
    """It did all the work: frames that were read and maps that were to be drawn are gone."""
    pytest.importorskip("ray.data", reason="Ray is not installed: requirements-ray.txt has it")
    (tmp_path / "clips").mkdir()
    names = [f"{number}" for number in range(4)]
    for name in names:
        write_clip(tmp_path / "clips" / f"{name}.mp4", 20)
    # A process of its own: this one may be connected to another cluster.
    command = [sys.executable, "-m", "tests.support.lost_machine", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    states = json.loads((tmp_path / "states.json").read_text())
    # "skipped": its results were written, but the machine was lost before it could say so.
    assert set(states.values()) <= {"done", "skipped"}
    assert sorted(states) == [f"{name}.mp4" for name in names]
    assert results_in(tmp_path / "out") == names
    assert run_video_cam.main(["verify", str(tmp_path / "out")]) == 0
