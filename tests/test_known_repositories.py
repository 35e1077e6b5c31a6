"""The factories for known repositories run, where the repositories are at hand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHECKOUTS = os.environ.get("VIDEO_CAM_CHECKOUTS")
TEXT = (ROOT / "docs" / "known-repositories.md").read_text(encoding="utf-8")
ENTRY = re.compile(
    r"^## \[(\S+)\]\(https://\S+\)\n.*?"
    r"^```python file=(\S+)\n(.*?)^```\n\n```bash\npython run_video_cam.py (.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
ENTRIES = {name: (file, code, command) for name, file, code, command in ENTRY.findall(TEXT)}


def test_there_are_twelve() -> None:
    assert len(ENTRIES) == 12
    assert all(f"{file}:" in command for file, _, command in ENTRIES.values())


@pytest.mark.skipif(not CHECKOUTS, reason="VIDEO_CAM_CHECKOUTS names no folder of repositories")
@pytest.mark.parametrize("repository", ENTRIES)
def test_the_factory_and_its_command_run(repository: str, tmp_path: Path) -> None:
    file, code, command = ENTRIES[repository]
    for one in (Path(CHECKOUTS or "") / repository).iterdir():
        if one.name != "clips":
            (tmp_path / one.name).symlink_to(one)
    (tmp_path / file).write_text(code)
    (tmp_path / "clips").symlink_to(ROOT / "clips")
    arguments = shlex.split(command.replace("\\\n", " "))
    done = subprocess.run(
        [sys.executable, ROOT / "run_video_cam.py", *arguments, "--output-dir", "results"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "results" / "spin" / "summary.json").read_text())
    print(done.stdout, summary["maps"], summary["notes"])
    assert summary["maps"]
