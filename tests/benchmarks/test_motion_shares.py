"""The section of the benchmark on motion shares: its numbers, its table, its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.truth import command, motion_shares
from benchmarks.truth.benchmark_clips import BenchmarkClips
from video_cam import Classifier


def test_a_network_that_goes_by_motion_has_a_large_share(
    bundled: Classifier,
    benchmark_clips: BenchmarkClips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[Any, ...]] = []

    def draw(model: Classifier, *arguments: Any) -> BenchmarkClips:
        asked.append((model, arguments[0], arguments[1], arguments[3]))
        return benchmark_clips.first(2)

    monkeypatch.setattr(motion_shares, "load_model", lambda name: bundled)
    monkeypatch.setattr(motion_shares, "draw_benchmark_clips", draw)
    arguments = ["--motion", "--clips", "2", "--seed", "3", "--output-dir", str(tmp_path)]
    assert command.main([*arguments, "--json", str(tmp_path / "shares.json")]) == 0
    assert asked == [(bundled, 2, 3, False)] * 2
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert lines[0].startswith("| network | clips | motion share | smallest | largest | score |")
    assert lines[2].startswith("| motion3d | 2 of ") and len(lines) == 4
    assert (tmp_path / "motion.md").read_text() == printed
    rows = json.loads((tmp_path / "shares.json").read_text())
    assert [row["network"] for row in rows] == ["motion3d"] * 2
    shares = rows[0]["motion_shares"]
    assert len(shares) == 2 and min(shares) > 0.6
    assert rows[0]["motion_share"]["mean"] == pytest.approx(np.mean(shares))
    assert rows[0]["score"]["mean"] > rows[0]["frozen_best"]["mean"] >= rows[0]["frozen"]["mean"]


def test_a_share_that_is_undefined_is_left_out() -> None:
    values = {name: np.array([1.0, 2.0]) for name in motion_shares.COLUMNS}
    values["motion_share"] = np.array([0.25, np.nan])
    row = motion_shares.MotionShares("net", values, 16)
    assert "| net | 2 of 16 | 0.250 ± 0.000 | 0.250 | 0.250 |" in motion_shares.motion_markdown(
        [row]
    )
