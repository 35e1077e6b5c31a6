"""Checks in the pipeline: their results and notes, in the summary and on the screen."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest

import run_video_cam
from tests.support.explanations import FRAME_TEST
from video_cam import Classifier, Explanation, pipeline
from video_cam.config import make_explain_config
from video_cam.explanation.explainer import explain_clip
from video_cam.pipeline import verify
from video_cam.utils.text import unbroken
from video_cam.video.clip import Clip

FRAME_TEST_OF_CLIP = FRAME_TEST | {
    "windows": FRAME_TEST["windows"] | {"contributions": [1.0, 2.0, 3.0]}
}


@pytest.mark.parametrize(
    ("options", "notes"),
    [
        ({}, ["no check: the first map is not of one class"]),
        (
            {"sanity": True, "check": None},
            ["no sanity: the first map is not one layer's of one class"],
        ),
        ({"check": None}, []),
    ],
)
def test_a_check_that_was_asked_for_and_does_not_apply_is_noted(
    options, notes: list[str], bundled: Classifier, sample_clip: Path
) -> None:
    config = make_explain_config({"check": True, "class_scope": "window"} | options)
    plain = explain_clip(Clip.open(sample_clip), bundled, config)
    verified = verify(Clip.open(sample_clip), bundled, plain, config)
    assert verified.check is None and [note.text for note in verified.notes] == notes


def test_the_command_shows_the_results_of_the_checks(
    sample_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Its 150 passes are made in its own tests.
    monkeypatch.setattr(pipeline, "run_frame_test", lambda scores, *given: FRAME_TEST_OF_CLIP)
    arguments = ["--clip", str(sample_clip), "--model", "motion3d", "--output-dir", str(tmp_path)]
    assert (
        run_video_cam.main([*arguments, "--check", "--sanity", "--motion-test", "--frame-test"])
        == 0
    )
    folder = tmp_path / sample_clip.stem
    summary = json.loads((folder / "summary.json").read_text())
    screen, page = capsys.readouterr().out, (folder / "index.html").read_text()
    assert "motion test: at most 24 forward passes" in screen
    assert "frame test: at most 150 forward passes" in screen
    for result in (summary[name] for name in ("check", "sanity", "motion_test", "frame_test")):
        assert result["sentence"] in screen
        shown = html.escape(unbroken(result["sentence"]), quote=True)
        assert shown.replace("&#x27;", "&#39;") in page
    assert summary["seconds"]["check"] > 0
    loaded = Explanation.load(folder / "explanation.npz")
    assert (loaded.check, loaded.sanity) == (summary["check"], summary["sanity"])
    assert loaded.motion_test == summary["motion_test"]
    assert loaded.frame_test == summary["frame_test"] == FRAME_TEST_OF_CLIP
    assert [one.layer for one in loaded.motion_maps.maps] == [
        *("layer4: motion", "layer4: appearance")
    ]
    [line] = (tmp_path / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["motion_test"] == summary["motion_test"]

    assert run_video_cam.main([*arguments, "--no-check"]) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["check"] is summary["sanity"] is summary["motion_test"] is None
    assert summary["frame_test"] is None
