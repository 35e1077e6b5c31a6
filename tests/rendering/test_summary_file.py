"""summary.json is read back only where it has what later runs use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from video_cam.rendering.summary_file import parse_summary, sizes_of_files, summary_bytes

SHA256 = "0" * 64


def contents(name: str = "a", size: Any = 1, sha256: Any = SHA256) -> dict[str, Any]:
    return {"contents": {name: {"bytes": size, "sha256": sha256}}}


def test_the_summary_of_a_clip_comes_back(results: Path) -> None:
    data = (results / "summary.json").read_bytes()
    summary = parse_summary(data)
    assert summary == json.loads(data) and summary_bytes(summary) == data
    sizes = sizes_of_files(summary)
    assert sizes is not None
    assert sizes["annotated.mp4"] == (results / "annotated.mp4").stat().st_size


@pytest.mark.parametrize("name", ["clip", "predictions", "targets", "contents"])
def test_a_summary_that_lacks_something_is_not_of_a_finished_result(name: str, results) -> None:
    summary = parse_summary((results / "summary.json").read_bytes())
    del summary[name]
    assert sizes_of_files(parse_summary(summary_bytes(summary))) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"clip": "a.mp4"},
        {"clip": {"path": "a.mp4"}},
        {"clip": {"path": 3, "duration_seconds": 1}},
        {"clip_id": 3},
        {"fingerprint": []},
        {"predictions": {}},
        {"predictions": [{"label": "spin"}]},
        {"targets": [None]},
        {"notes": "note"},
        {"check": {"sentence": 3, "drop": 0.5}},
        {"sanity": {}},
        {"motion_test": {"sentence": "it moves"}},
        {"motion_test": {"sentence": "it moves", "motion_share": 1.1}},
        {"seconds": {"explain": float("nan")}},
        contents("../a"),
        contents("/etc/passwd"),
        contents("a/../../b"),
        contents("a//b"),
        contents(""),
        contents("."),
        contents("a\\b"),
        contents("a\0"),
        contents(size=-1),
        contents(size="1"),
        contents(sha256="0" * 63),
        contents(sha256="0" * 64 + "\n"),
    ],
    ids=str,
)
def test_other_entries_are_refused(changes: dict[str, Any]) -> None:
    parse_summary(summary_bytes(contents() | {"more": 1}))
    with pytest.raises(ValueError) as caught:
        parse_summary(summary_bytes(changes))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("data", [b"", b"[]", b"3", b"{", b"[" * 100_000, b"\xff"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_summary(data)
