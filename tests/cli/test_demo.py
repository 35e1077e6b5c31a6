"""The demonstration, and the ways to call the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from video_cam.cli import demo, program
from video_cam.cli.main import main
from video_cam.models import example_clips
from video_cam.utils.version import __version__

ROOT = Path(__file__).parents[2]


def test_the_demonstration_explains_a_clip_that_it_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_has_display", lambda: False)
    assert main(["demo", "--output-dir", str(tmp_path)]) == 0
    assert (tmp_path / "demo" / "index.html").is_file()
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert summary["predictions"][0]["label"] == "dash right"
    assert main(["verify", str(tmp_path / "demo")]) == 0


def test_the_page_is_shown_where_there_is_a_display(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(example_clips, "write_example", lambda path, action: None)
    for has_display in (True, False):
        monkeypatch.setattr(demo, "_has_display", lambda answer=has_display: answer)
        assert ("--show" in demo.demo_options(["--output-dir", str(tmp_path)])) == has_display


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").touch()
    assert main(["demo", "--output-dir", str(tmp_path / "file" / "out")]) == 2
    assert "the clip cannot be written" in capsys.readouterr().err


def test_the_package_is_a_command_with_a_version(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "video_cam", "--version"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"video_cam {__version__}\n"


@pytest.mark.parametrize(
    ("called", "shown"),
    [
        ("/usr/bin/video-cam", "video-cam"),
        ("/x/video_cam/__main__.py", "python -m video_cam"),
        ("run_video_cam.py", "run_video_cam.py"),
        ("pytest", "run_video_cam.py"),
    ],
)
def test_usage_texts_name_the_command_as_it_was_typed(called, shown, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert program.program_name() == shown
