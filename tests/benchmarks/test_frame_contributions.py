"""The benchmark's section on the frame test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.truth import command, frame_contributions
from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.frame_contributions import (
    FOUND,
    RANKED,
    ClipScores,
    average_precision,
    frames_markdown,
)
from video_cam import Classifier
from video_cam.explanation.map_series import ClassTarget
from video_cam.perturbation.alterations import frozen, unaltered


def test_one_clip_is_measured(
    bundled: Classifier,
    benchmark_clips: BenchmarkClips,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clips = benchmark_clips.first(1)
    monkeypatch.setattr(frame_contributions, "draw_benchmark_clips", lambda *given: clips)
    monkeypatch.setattr(frame_contributions, "most_forwards", lambda num_frames: 70)
    for name in ("class_volumes", "detail_volumes"):  # other tests have them
        monkeypatch.setattr(frame_contributions, name, lambda *given: clips.x[:, 0].abs())
    assert command.main(["--frames", "--clips", "1", "--json", str(tmp_path / "f.json")]) == 0
    printed = capsys.readouterr().out
    values = {name: each[0] for name, each in json.loads((tmp_path / "f.json").read_text()).items()}
    assert set(values) == {*RANKED, *FOUND}
    in_event = clips.masks[0].any((1, 2))
    assert values["chance"] == in_event.mean()
    assert values["rest"] < 1e-4 and values["forwards"] <= 70 and values["kept"] >= 0.9
    assert values["contributions"] > values["chance"] and values["near"] >= values["inside"]
    for heading in (*RANKED.values(), *FOUND.values()):
        assert f"| {heading} |" in printed


def test_frames_are_ranked_by_their_scores() -> None:
    in_event = np.array([False, True, True, False])
    assert average_precision(np.array([0.0, 2.0, 1.0, -1.0]), in_event) == 1
    assert average_precision(np.array([3.0, 2.0, 1.0, -1.0]), in_event) == pytest.approx(7 / 12)


def test_scores_are_the_networks_own_and_computed_once(
    bundled: Classifier, benchmark_clips: BenchmarkClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = benchmark_clips.x[0]
    scores, altered = ClipScores(bundled, x), [unaltered(16), frozen(16, 2), frozen(16, 2)]
    assert scores.num_forwards([0], altered) == 2
    with torch.no_grad():
        logits = bundled.module(torch.stack([one(x) for one in altered]))
    own = (logits[:, 3] - logits.mean(1)).numpy()
    np.testing.assert_allclose(
        scores.differences(ClassTarget(3), [0], altered, "test")[0], own, atol=1e-4
    )
    monkeypatch.setattr(frame_contributions, "scores_of_altered", None)
    assert scores.num_forwards([0], altered) == 0
    shown = scores.probabilities(ClassTarget(3), [0], altered, "test")[0]
    np.testing.assert_allclose(shown, logits.softmax(1)[:, 3], atol=1e-5)


def test_the_table_has_the_largest_values() -> None:
    values = {name: np.array([0.25, 0.75]) for name in (*RANKED, *FOUND)}
    text = frames_markdown(values)
    assert "| frame difference | 0.500 ± 0.250 |" in text
    assert "| forward passes | 0.500 ± 0.250 | 0.75 |" in text
