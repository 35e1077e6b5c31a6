"""Clips with odd names and labels with markup, through the whole command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.command import BUNDLED, ROOT, results_in
from tests.support.hostile import TEXTS
from tests.support.media import write_clip

ODD_NAMES = (
    *(
        "new\nline\x1b[2J\u202e.mp4",
        "quote'\"`$(touch x).mp4",
        "-rf.mp4",
        "<img src=x onerror=alert(1)>.mp4",
    ),
    *(os.fsdecode(b"latin\xe9.mp4"), "x" * 246 + ".mp4", "é" * 125 + ".mp4", "index.html.mp4"),
)


def test_odd_names_and_labels_with_markup(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ODD_NAMES:
        write_clip(folder / name, 3)
    labels = tmp_path / "labels.json"
    names = ("terminal escape", "line separators", "surrogate", "mathematics", "hidden in a legend")
    hostile = [TEXTS[name] for name in names]
    hostile += ["<script>alert(1)</script>", "x" * 10_000, "猫", ""]
    labels.write_text(json.dumps(hostile))
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_video_cam.py"), "--clip", str(folder), *BUNDLED,
         "--labels", str(labels), "--output-dir", str(out), "--class-id", "0", "6",
         "--max-keyframes", "1"],
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode(errors="replace")
    assert len(results_in(out)) == len(ODD_NAMES)
    assert {p.name for p in tmp_path.iterdir()} == {"in", "out", "labels.json"}
    assert all(line.isprintable() for line in done.stdout.decode().split("\n"))
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    # Every path is the real one, whatever bytes it consists of.
    assert {Path(row["clip"]) for row in rows} == {folder / name for name in ODD_NAMES}
    for page in out.glob("*/index.html"):
        text = page.read_text("utf-8")
        assert "<script>alert(1)" not in text and "<img src=x" not in text
