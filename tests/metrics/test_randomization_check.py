"""The randomisation check: parts of a network, their randomisation, rank correlation."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from video_cam import Classifier, Explanation
from video_cam.config import make_explain_config
from video_cam.errors import CheckNotApplicable
from video_cam.explanation.explainer import explain_clip
from video_cam.metrics import randomization_check
from video_cam.metrics.randomization_check import (
    randomize_in_stages,
    rank_correlation,
    run_randomization_check,
    stage_names,
)
from video_cam.video.clip import Clip

CONFIG = make_explain_config({})


def test_stages_go_from_the_output_to_the_input(bundled: Classifier) -> None:
    assert stage_names(bundled.module) == ["fc", "layer4", "layer3", "layer2", "layer1", "stem"]
    wrapped = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4)))
    assert stage_names(wrapped) == ["0.2", "0.0"]
    long = nn.Sequential(*[nn.Linear(1, 1) for _ in range(30)])
    names = stage_names(long)
    assert len(names) == 12 and names[0] == "29" and names[-1] == "0"


def test_a_stage_adds_to_those_before_it() -> None:
    network = nn.Sequential(*[nn.Linear(2, 2) for _ in range(5)])
    before = [layer.weight.detach().clone() for layer in network]
    numbers = torch.get_rng_state()
    changed, third = [], []
    for _ in randomize_in_stages(network, ["4", "2", "0"]):
        changed.append([not torch.equal(a, b.weight) for a, b in zip(before, network, strict=True)])
        third.append(network[4].weight.detach().clone())
    assert changed == [
        [False, False, False, False, True],
        [False, False, True, True, True],
        [True] * 5,
    ]
    assert all(torch.equal(weight, third[0]) for weight in third)  # drawn once
    assert torch.equal(torch.get_rng_state(), numbers)


def test_parameters_without_a_reset_get_the_same_spread() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.arange(2000.0))

    network = nn.Sequential(Scale(), nn.ReLU(), Scale())
    assert list(randomize_in_stages(network, ["2", "0"])) == ["2", "0"]
    assert not torch.equal(network[0].weight, torch.arange(2000.0))
    assert not torch.equal(network[0].weight, network[2].weight)
    spread = float(torch.arange(2000.0).std())
    assert float(network[0].weight.detach().std()) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 2, 3, 9], [10, 20, 25, 26], 1.0),
        ([1, 2, 3, 9], [4, 3, 2, -7], -1.0),
        # Ranks 1 2.5 2.5 4 and 1 3 2 4: 4.5 / sqrt(4.5 * 5).
        ([1, 2, 2, 3], [1, 3, 2, 4], 4.5 / math.sqrt(22.5)),
        ([1, 1, 1, 1], [1, 3, 2, 4], None),
        ([1, 3, 2, 4], [0, 0, 0, 0], None),
    ],
)
def test_rank_correlation(a: list[float], b: list[float], expected: float | None) -> None:
    found = rank_correlation(np.array(a, float), np.array(b, float))
    assert found == (expected if expected is None else pytest.approx(expected))


def test_the_check_of_the_bundled_network(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    weights = {name: value.clone() for name, value in bundled.module.state_dict().items()}
    clip = Clip.open(sample_clip)
    result = run_randomization_check(clip, bundled, explanation, CONFIG)
    assert all(torch.equal(weights[n], v) for n, v in bundled.module.state_dict().items())
    assert [stage["module"] for stage in result["stages"]] == stage_names(bundled.module)
    assert result["window"] == explanation.window_scores(explanation.maps[0]).argmax()
    correlations = [stage["rank_correlation"] for stage in result["stages"]]
    assert all(value is None or -1 <= value <= 1 for value in correlations)
    # Each stage changes the map: the network is not the same in any two.
    assert len({*correlations}) == len(correlations) and max(correlations) < 0.999
    torch.rand(1)  # the state of the global generator does not matter
    assert result == run_randomization_check(clip, bundled, explanation, CONFIG)


def test_the_window_with_the_highest_score_is_checked(
    bundled: Classifier, explanation: Explanation, sample_clip: Path, monkeypatch
) -> None:
    last = len(explanation.frame_indices) - 1
    scores = np.arange(last + 1.0)
    monkeypatch.setattr(Explanation, "window_scores", lambda self, series: scores)
    monkeypatch.setattr(randomization_check, "stage_names", lambda module: ["fc"])
    result = run_randomization_check(Clip.open(sample_clip), bundled, explanation, CONFIG)
    assert result["window"] == last > 0


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (0.2, "trained one is 0.20: it needs what the network has learned"),
        (-0.7, "trained one is -0.70: it hardly needs what the network has learned"),
        (None, "the map is the same everywhere: it needs the training"),
    ],
)
def test_the_sentence_goes_by_the_last_stage(
    last, words: str, bundled: Classifier, explanation: Explanation, sample_clip: Path, monkeypatch
) -> None:
    values = iter([0.9, last])
    monkeypatch.setattr(randomization_check, "stage_names", lambda module: ["fc", "layer4"])
    monkeypatch.setattr(randomization_check, "rank_correlation", lambda *_: next(values))
    result = run_randomization_check(Clip.open(sample_clip), bundled, explanation, CONFIG)
    assert result["sentence"].startswith("with every part randomised")
    assert result["sentence"].endswith(words)


@pytest.mark.parametrize(
    "options",
    [
        {"contrast": True},
        {"aug_shift": 2},
        {"aug_smooth": True},
        # Finer maps depend on the positions of cells, and are stored in one byte per cell.
        {"detail": "layers", "align": "half-pixel", "atol": 0.005},
        {"detail": "input", "align": "half-pixel", "atol": 0.005},
    ],
)
def test_the_checked_map_is_the_one_that_was_explained(
    options: dict, bundled: Classifier, sample_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"end": 1.0, "detail": "none"} | options
    atol = options.pop("atol", 1e-5)
    config, trained = make_explain_config(options), []
    explanation = explain_clip(Clip.open(sample_clip), bundled, config)

    def note(cells: np.ndarray, _: np.ndarray) -> None:
        trained.append(cells)

    monkeypatch.setattr(randomization_check, "rank_correlation", note)
    monkeypatch.setattr(randomization_check, "stage_names", lambda module: ["fc"])
    result = run_randomization_check(Clip.open(sample_clip), bundled, explanation, config)
    explained = explanation.maps[0].values[result["window"]]
    np.testing.assert_allclose(trained[0], explained, atol=atol * abs(explained).max())


def test_an_untrained_network_is_not_randomised(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    untrained = dataclasses.replace(bundled, weights="none")
    with pytest.raises(CheckNotApplicable, match="the network is untrained"):
        run_randomization_check(Clip.open(sample_clip), untrained, explanation, CONFIG)


def test_only_the_map_of_one_layer_and_class_is_checked(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    clip, series = Clip.open(sample_clip), explanation.maps[0]
    fused = make_explain_config({"fuse": "mean"})
    several = dataclasses.replace(series, class_ids=(0, 1))
    for maps, config in (((series,), fused), ((several,), CONFIG)):
        other = dataclasses.replace(explanation, maps=maps)
        with pytest.raises(CheckNotApplicable, match="not one layer's of one class"):
            run_randomization_check(clip, bundled, other, config)
