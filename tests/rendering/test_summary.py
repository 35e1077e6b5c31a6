"""summary.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from video_cam import Explanation
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.rendering.summary import summarise
from video_cam.utils.notes import WARNING, Note
from video_cam.video.source_files import source_digest


def test_the_summary_has_the_numbers_of_the_explanation(
    results: Path, explanation: Explanation, sample_clip: Path
) -> None:
    summary = json.loads((results / "summary.json").read_text())
    assert summary["clip"] | {"path": ""} == {
        "path": "",
        "width": 256,
        "height": 256,
        "fps": 16.0,
        "num_frames": 32,
        "duration_seconds": 2.0,
        "has_audio": False,
        "span": [0, 32],
        "digest": source_digest(sample_clip),
    }
    assert summary["model"]["layers"] == ["layer4", "layer3"]
    assert summary["predictions"][0]["score"] == pytest.approx(explanation.predictions(1)[0].score)
    assert summary["targets"][0]["class_id"] == explanation.maps[0].class_id
    assert [w["start_seconds"] for w in summary["windows"]] == [0, 0.5, 1]
    assert [w["end_seconds"] for w in summary["windows"]] == [1, 1.5, 2]
    assert set(summary["seconds"]) == {"explain", "render"}


def test_keys_are_those_of_the_contract(explanation: Explanation) -> None:
    summary = summarise(explanation, [], [])
    assert list(summary) == [
        *("clip", "model", "predictions", "targets", "maps", "windows", "keyframes"),
        *("num_network_frames", "seen_box", "options", "notes", "damage", "check", "sanity"),
        *("motion_test", "frame_test", "files", "seconds", "versions"),
    ]
    assert list(summary["targets"][0]) == ["class_id", "label", "score", "shown"]
    assert list(summary["maps"][0]) == [
        *("class_id", "layer", "method", "detail", "grid", "in_logits", "bias"),
    ]
    assert list(summary["windows"][0]) == [
        *("start_seconds", "end_seconds", "frame_indices", "num_padded"),
        *("class_id", "label", "score", "runner_up", "targets"),
    ]


def test_every_target_is_listed_once_with_its_scores(explanation: Explanation) -> None:
    maps = [
        replace(m, target=ClassTarget(c), label=f"class {c}")
        for c in (4, 1)
        for m in explanation.maps
    ]
    summary = summarise(replace(explanation, maps=tuple(maps)), [], [])
    assert [target["class_id"] for target in summary["targets"]] == [4, 1]
    means = explanation.probabilities.mean(0)[[4, 1]]
    assert [target["score"] for target in summary["targets"]] == pytest.approx(means.tolist())
    for window, scores in zip(summary["windows"], explanation.probabilities, strict=True):
        assert window["targets"] == pytest.approx(scores[[4, 1]].tolist())


def test_a_function_is_a_target_of_its_own(explanation: Explanation) -> None:
    function = replace(explanation.maps[0], target=FunctionTarget(0), label="lead")
    scores = np.array([[1.5], [-2.0], [3.0]], np.float32)
    one = replace(explanation, maps=(function,), functions=("lead",), function_scores=scores)
    [target] = summarise(one, [], [])["targets"]
    assert target["label"] == "lead" and target["shown"] == f"{2.5 / 3:.3g}"


def test_notes_of_the_rendering_come_after_those_of_the_explanation(explanation) -> None:
    noted = replace(explanation, notes=(Note("first"),))
    assert summarise(noted, [], [], [Note("second", WARNING)])["notes"] == [
        {"text": "first", "kind": "information"},
        {"text": "second", "kind": "warning"},
    ]
