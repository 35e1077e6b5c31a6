"""Sizes and digests of the files of a result."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from video_cam.rendering.contents import describe_contents


def test_every_file_is_described(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "a.js").write_bytes(b"three" * 10**6)
    (tmp_path / "z").write_bytes(b"")
    assert describe_contents(tmp_path) == {
        "page/a.js": {"bytes": 5 * 10**6, "sha256": hashlib.sha256(b"three" * 10**6).hexdigest()},
        "z": {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()},
    }


def test_the_summary_describes_all_other_files(results: Path) -> None:
    contents = json.loads((results / "summary.json").read_text())["contents"]
    here = describe_contents(results)
    del here["summary.json"]
    assert contents == here
    assert {"annotated.mp4", "index.html", "explanation.npz", "page/thumbnail.jpg"} <= set(contents)
