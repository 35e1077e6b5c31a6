"""Results of clips whose class changes over time, and of targets other than one class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import video_cam
from clips.make_clips import draw_sample
from tests.support.networks import PoolLinear
from tests.support.two_actions import (
    FIRST,
    FIRST_CLASS,
    SECOND,
    SECOND_CLASS,
    write_two_actions,
)
from video_cam import Classifier, Explanation
from video_cam.attribution.input_gradients import guided_backprop
from video_cam.config import make_explain_config
from video_cam.explanation import keyframe_gradients
from video_cam.explanation.explainer import explain_clip
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.image_files import save_image
from video_cam.video.clip import Clip


@pytest.fixture(scope="module")
def two_actions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn actions, one after the other, with a hard cut between them."""
    return write_two_actions(tmp_path_factory.mktemp("two") / "two.mp4")


def margin(outputs: torch.Tensor) -> torch.Tensor:
    return outputs[:, 0] - outputs[:, 1]


def test_two_events_can_be_seen_in_the_timeline(two_actions, bundled, tmp_path) -> None:
    both = video_cam.explain(two_actions, bundled, class_ids=[FIRST_CLASS, SECOND_CLASS])
    summary = video_cam.render(two_actions, both, tmp_path / "out")
    assert (tmp_path / "out" / "timeline.png").stat().st_size > 10_000
    windows = summary["windows"]
    assert all(len(window["targets"]) == 2 for window in windows)
    assert all(window["runner_up"]["score"] <= window["score"] for window in windows)
    first, last = windows[1], windows[-2]
    assert (first["label"], last["label"]) == (FIRST_CLASS, SECOND_CLASS)
    assert first["targets"][0] == pytest.approx(first["score"])
    assert any("hard cut at 2.00 s" in note["text"] for note in summary["notes"])


def test_scores_of_every_window_are_in_the_summary(results: Path, explanation: Explanation) -> None:
    windows = json.loads((results / "summary.json").read_text())["windows"]
    for window, scores in zip(windows, explanation.probabilities, strict=True):
        assert window["score"] == pytest.approx(float(scores.max()))
        assert window["runner_up"]["score"] == pytest.approx(float(np.sort(scores)[-2]))


def test_a_function_has_a_score_but_no_probability(sample_clip: Path, tmp_path: Path) -> None:
    model = video_cam.load_model(PoolLinear(), num_frames=4, size=(16, 16), frame_rate=8)
    explanation = video_cam.explain(sample_clip, model, targets=[margin], class_ids=[0, 1])
    summary = video_cam.render(sample_clip, explanation, tmp_path / "drawn")
    assert summary["targets"][2]["label"] == "margin" and "%" not in summary["targets"][2]["shown"]


def test_the_caption_names_each_windows_own_class(two_actions, bundled) -> None:
    explanation = video_cam.explain(two_actions, bundled, class_scope="window")
    blended = BlendedMap(explanation, 0)
    assert [blended.label(frame) for frame in (8, 48)] == [FIRST_CLASS, SECOND_CLASS]


def test_the_curve_of_a_folder_of_pictures_follows_each_picture(tmp_path: Path) -> None:
    pictures = [draw_sample(name).frames[0] for name in (FIRST, SECOND)]
    (tmp_path / "pictures").mkdir()
    for index in range(9):
        save_image(tmp_path / "pictures" / f"{index:02d}.png", pictures[index % 2])
    model = video_cam.load_model("resnet18", "none", size=(64, 64), num_frames=6)
    explanation = video_cam.explain(tmp_path / "pictures", model, align="probe")
    blended, scores = BlendedMap(explanation, 0), explanation.scores_of_frames()
    shown = [blended.score(frame) for frame in range(9)]
    assert shown == pytest.approx([scores[index] for index in range(9)], rel=1e-4)
    assert len(np.unique(np.round(shown, 6))) == 2


@pytest.mark.parametrize("options", [{"class_scope": "window"}, {"targets": [margin]}])
def test_gradients_are_of_what_the_map_explains(
    options: dict[str, Any],
    two_actions: Path,
    bundled: Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    targets: list[Any] = []

    def noted(network, x, target):
        targets.append(target)
        return guided_backprop(network, x, target)

    monkeypatch.setattr(keyframe_gradients, "guided_backprop", noted)
    config = make_explain_config({"end": 2.5, **options})
    clip = Clip.open(two_actions)
    explanation = explain_clip(clip, bundled, config)
    found = keyframe_gradients.keyframe_gradients(
        clip, bundled, explanation, ["guided"], config.targets
    )
    assert len(list(found)) == explanation.num_windows
    if config.targets:
        assert targets == [margin] * explanation.num_windows
    else:
        assert targets == list(explanation.maps[0].class_ids) and len(set(targets)) == 2
