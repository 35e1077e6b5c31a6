"""Scores of altered windows of real clips, against the network run by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import video_cam
from video_cam.analysis.window_input import read_input
from video_cam.analysis.window_scores import WindowScores
from video_cam.config import ExplainConfig
from video_cam.explanation.explainer import explain_clip
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.perturbation.alterations import backwards, frozen, unaltered
from video_cam.video.clip import Clip

CLIP = Path(__file__).parents[2] / "clips" / "spin.mp4"
FRAMES = 16
ALTERATIONS = [unaltered(FRAMES), frozen(FRAMES, 3), backwards(FRAMES), frozen(FRAMES, 3)]


def brightness(output: torch.Tensor) -> torch.Tensor:
    return output[:, 0] - output[:, 1]


@pytest.fixture(scope="module")
def explained():
    model = video_cam.load_model("motion3d")
    config = ExplainConfig(targets=(brightness,), top_k=1, batch_size=2)
    clip = Clip.open(CLIP)
    return clip, model, explain_clip(clip, model, config), config


def test_scores_are_the_networks_own(explained) -> None:
    clip, model, explanation, config = explained
    scores = WindowScores(clip, model, explanation, config)
    windows = [0, explanation.num_windows - 1]
    found = scores.scores(ClassTarget(2), windows, ALTERATIONS, "test")
    shown = scores.probabilities(ClassTarget(2), windows, ALTERATIONS, "test")
    values = scores.scores(FunctionTarget(0), windows, ALTERATIONS, "test")
    assert found.shape == shown.shape == values.shape == (2, 4)
    for row, window in enumerate(windows):
        x = read_input(clip, model, explanation, window)
        with torch.no_grad():
            logits = model.module(torch.stack([one(x) for one in ALTERATIONS]))
        np.testing.assert_allclose(found[row], logits[:, 2], atol=1e-4)
        np.testing.assert_allclose(shown[row], logits.softmax(1)[:, 2], atol=1e-5)
        np.testing.assert_allclose(values[row], brightness(logits), atol=1e-4)
    all_scores = scores.all_scores(windows, ALTERATIONS, "test")
    np.testing.assert_array_equal(all_scores[..., 2], found)


def test_nothing_is_scored_twice(explained, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, model, explanation, config = explained
    scores = WindowScores(clip, model, explanation, config)
    assert scores.num_forwards([0, 1], ALTERATIONS) == 6  # two of the four are equal
    seen: list[int] = []
    hook = model.module.register_forward_hook(lambda m, args, out: seen.append(len(args[0])))
    try:
        first = scores.scores(ClassTarget(0), [0, 1], ALTERATIONS, "test")
        assert sum(seen) == 6 and seen == [2, 2, 2]  # batches are filled across windows
        again = scores.scores(ClassTarget(0), [1], ALTERATIONS[::-1], "test")
        assert sum(seen) == 6
        np.testing.assert_array_equal(again[0], first[1][::-1])
    finally:
        hook.remove()
