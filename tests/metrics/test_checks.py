"""The check of a map, and what randomising the network does to it."""

from __future__ import annotations

import dataclasses
import html
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import run_video_cam
from video_cam import Classifier, Explanation
from video_cam.config import make_explain_config
from video_cam.explanation.explainer import explain_clip
from video_cam.metrics import baseline_of
from video_cam.metrics.faithfulness import rank_voxels
from video_cam.metrics.perturbation_check import (
    MARKED_SHARE,
    CannotCheck,
    Drops,
    check_explanation,
    frame_difference,
    measure_drops,
    moves,
    sentence,
)
from video_cam.metrics.randomization_check import check_sanity, parts, randomised, rank_correlation
from video_cam.pipeline import verify
from video_cam.video.clip import Clip


def box_score(x: torch.Tensor) -> torch.Tensor:
    return x[:, :, 2:6, 8:16, 8:16].mean((1, 2, 3, 4))


@pytest.fixture
def lit_box() -> tuple[torch.Tensor, torch.Tensor]:
    """A clip (1, 8, 20, 20) with a bright box, and the map of it: 256 of 3200 voxels, 8 %."""
    x = torch.zeros(1, 8, 20, 20)
    x[:, 2:6, 8:16, 8:16] = 1.0
    return x, x[0].clone()


# The check


def test_drops_by_hand(lit_box) -> None:
    x, volume = lit_box
    found = measure_drops(box_score, x, volume, forwards=7)
    blurred = baseline_of(x, "blur")
    assert found.logit == 1.0
    # All of the box is among the marked tenth, so that what is left of it is the blur.
    assert found.drop == pytest.approx(1 - box_score(blurred[None]).item(), abs=1e-6)
    # The box neither moves nor is it where something else does, but for its rise and its fall.
    assert len(found.random) == 7 - 3 and found.random_drop == pytest.approx(np.mean(found.random))
    marks = rank_voxels(volume) < MARKED_SHARE
    for drop, moved in zip(found.random, moves(marks, 4), strict=True):
        left = box_score(torch.where(moved, blurred, x)[None]).item()
        assert drop == pytest.approx(1 - left, abs=1e-6)
    assert found.carries


def test_a_map_of_somewhere_else_does_not_carry(lit_box) -> None:
    x, volume = lit_box
    found = measure_drops(box_score, x, volume.roll((4, 10, 10), (0, 1, 2)))
    assert found.drop < 0.1 and not found.carries
    assert len(found.random) == 13


def test_no_share_of_a_score_that_is_not_positive(lit_box) -> None:
    x, volume = lit_box
    assert measure_drops(lambda clips: -box_score(clips), x, volume) is None


def test_moved_marks_are_as_many_and_always_the_same() -> None:
    marks = torch.rand(4, 8, 8) < 0.2
    first, again = moves(marks, 3), moves(marks, 3)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert [int(m.sum()) for m in first] == [int(marks.sum())] * 3
    assert not torch.equal(first[0], first[1])


def test_moved_marks_keep_clear_of_the_map(lit_box) -> None:
    marks = lit_box[1] > 0
    overlaps = [float((moved & marks).sum() / marks.sum()) for moved in moves(marks, 13)]
    assert max(overlaps) <= 0.25
    # Where nothing is clear of them, they are moved all the same.
    everywhere = torch.ones(2, 4, 4, dtype=torch.bool)
    assert all(moved.all() for moved in moves(everywhere, 2))


def test_frame_difference_is_where_something_moves() -> None:
    x = torch.zeros(3, 4, 64, 64)
    x[:, 2:, 30, 40] = 1.0  # appears in frame 2
    moved = frame_difference(x)
    assert moved.shape == (4, 64, 64)
    assert [float(frame.max()) > 0 for frame in moved] == [False, False, True, False]
    y, x_ = np.argwhere(moved[2].numpy() > 0).mean(0)
    assert (y, x_) == (30, 40)
    assert frame_difference(torch.rand(3, 1, 8, 8)).abs().max() == 0  # a still image


def test_the_sentence_says_what_was_found() -> None:
    carries = Drops(5.0, 0.62, (0.05, 0.11), 0.31)
    assert sentence(carries) == (
        "marked region carries the score: 0.62 of the logit (random 0.08, frame difference 0.31)"
    )
    assert "does not carry" in sentence(dataclasses.replace(carries, drop=0.1))
    nothing = dataclasses.replace(carries, drop=0.04, random=(0.0, 0.01))
    assert "does not carry" in sentence(nothing)


@pytest.mark.parametrize(
    ("words", "notes"),
    [
        ({"class_scope": "window"}, ["no check: the first map is not of one class"]),
        (
            {"class_scope": "window", "sanity": True, "check": None},
            ["no sanity: the first map is not one layer's of one class"],
        ),
        ({"class_scope": "window", "check": None}, []),
    ],
)
def test_a_check_that_was_asked_for_and_cannot_be_is_noted(
    words, notes: list[str], bundled: Classifier, sample_clip: Path
) -> None:
    options = make_explain_config({"check": True} | words)
    plain = explain_clip(Clip.open(sample_clip), bundled, options)
    found = verify(Clip.open(sample_clip), bundled, plain, options)
    assert found.check is None and list(found.notes) == notes


def test_a_score_below_zero_carries_nothing(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    series = explanation.maps[0]
    worst = int(explanation.probabilities.mean(0).argmin())
    other = dataclasses.replace(
        explanation, maps=(dataclasses.replace(series, class_id=worst, label="dash up"),)
    )
    with pytest.raises(CannotCheck, match="the logit of dash up is not above 0"):
        check_explanation(str(sample_clip), bundled, other, make_explain_config({}), always=True)


def test_checking_a_clip_leaves_everything_as_it_was(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    weights = {name: value.clone() for name, value in bundled.module.state_dict().items()}
    numbers, more = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    found = check_explanation(
        str(sample_clip), bundled, explanation, make_explain_config({}), always=True
    )
    assert torch.equal(torch.get_rng_state(), numbers)
    assert (np.random.get_state()[1] == more).all()  # noqa: NPY002
    assert all(torch.equal(weights[n], v) for n, v in bundled.module.state_dict().items())
    assert not bundled.module.training

    series = explanation.maps[0]
    assert found["forwards"] == 16 and len(found["random_drops"]) == 13
    assert found["window"] == explanation.probabilities[:, series.class_id].argmax()
    assert found["logit"] == pytest.approx(series.logits[found["window"]], rel=1e-4)
    assert found["carries"] and found["drop"] > found["random_drop"] + 0.2
    assert (found["layer"], found["method"]) == (series.layer, series.method)


def test_a_check_that_costs_more_than_the_maps_is_left_out(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    quick = dataclasses.replace(explanation, seconds={"explain": 0.0})
    assert check_explanation(str(sample_clip), bundled, quick, make_explain_config({})) is None
    slow = dataclasses.replace(explanation, seconds={"explain": 1e6})
    assert (
        check_explanation(str(sample_clip), bundled, slow, make_explain_config({}))["forwards"]
        == 16
    )


def test_the_command_tells_what_the_check_found(
    sample_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--clip", str(sample_clip), "--model", "motion3d", "--output-dir", str(tmp_path)]
    assert run_video_cam.main([*arguments, "--check", "--sanity"]) == 0
    folder = tmp_path / sample_clip.stem
    summary = json.loads((folder / "summary.json").read_text())
    said, page = capsys.readouterr().out, (folder / "index.html").read_text()
    for found in (summary["check"], summary["sanity"]):
        assert found["sentence"] in said
        assert html.escape(found["sentence"], quote=True).replace("&#x27;", "&#39;") in page
    assert summary["seconds"]["check"] > 0
    loaded = Explanation.load(folder / "explanation.npz")
    assert (loaded.check, loaded.sanity) == (summary["check"], summary["sanity"])

    assert run_video_cam.main([*arguments, "--no-check"]) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["check"] is None and summary["sanity"] is None


# Randomising the network


def test_parts_are_taken_from_the_output_back(bundled: Classifier) -> None:
    assert parts(bundled.module) == ["fc", "layer4", "layer3", "layer2", "layer1", "stem"]
    wrapped = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4)))
    assert parts(wrapped) == ["0.2", "0.0"]
    long = nn.Sequential(*[nn.Linear(1, 1) for _ in range(30)])
    assert len(parts(long)) == 12 and parts(long)[0] == "29" and parts(long)[-1] == "0"


def test_randomising_goes_on_from_the_part_before() -> None:
    net = nn.Sequential(*[nn.Linear(2, 2) for _ in range(5)])
    before = [layer.weight.detach().clone() for layer in net]
    numbers = torch.get_rng_state()
    changed = []
    for _ in randomised(net, ["4", "2", "0"]):
        changed.append([not torch.equal(a, b.weight) for a, b in zip(before, net, strict=True)])
    assert changed == [
        [False, False, False, False, True],
        [False, False, True, True, True],
        [True] * 5,
    ]
    assert torch.equal(torch.get_rng_state(), numbers)


def test_parameters_without_a_reset_are_drawn_anew() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.arange(6.0))

    net = nn.Sequential(Scale(), nn.ReLU(), Scale())
    list(randomised(net, ["2", "0"]))
    assert not torch.equal(net[0].weight, torch.arange(6.0))
    assert not torch.equal(net[0].weight, net[2].weight)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 2, 3, 9], [10, 20, 25, 26], 1.0),
        ([1, 2, 3, 9], [4, 3, 2, -7], -1.0),
        # Ranks 1 2.5 2.5 4 and 1 3 2 4: 4.5 / sqrt(4.5 * 5).
        ([1, 2, 2, 3], [1, 3, 2, 4], 4.5 / math.sqrt(22.5)),
        ([1, 1, 1, 1], [1, 3, 2, 4], None),
    ],
)
def test_rank_correlation(a: list[float], b: list[float], expected: float | None) -> None:
    found = rank_correlation(np.array(a, float), np.array(b, float))
    assert found == (expected if expected is None else pytest.approx(expected))


def test_sanity_of_the_bundled_network(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    weights = {name: value.clone() for name, value in bundled.module.state_dict().items()}
    options = make_explain_config({})
    found = check_sanity(str(sample_clip), bundled, explanation, options)
    assert all(torch.equal(weights[n], v) for n, v in bundled.module.state_dict().items())
    assert [stage["module"] for stage in found["stages"]] == parts(bundled.module)
    assert found == check_sanity(str(sample_clip), bundled, explanation, options)
    correlations = [stage["rank_correlation"] for stage in found["stages"]]
    assert all(value is None or -1 <= value <= 1 for value in correlations)
    assert "rank correlation" in found["sentence"]


@pytest.mark.parametrize("given", [{"contrast": True}, {"aug_shift": 2}, {"aug_smooth": True}])
def test_sanity_is_of_the_map_that_was_drawn(
    given: dict, bundled: Classifier, sample_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, trained = make_explain_config(given), []
    explanation = explain_clip(Clip.open(sample_clip), bundled, options)

    def note(cells: np.ndarray, _: np.ndarray) -> None:
        trained.append(cells)

    monkeypatch.setattr("video_cam.metrics.randomization_check.rank_correlation", note)
    found = check_sanity(str(sample_clip), bundled, explanation, options)
    drawn = explanation.maps[0].values[found["window"]]
    np.testing.assert_allclose(trained[0], drawn, atol=1e-5 * abs(drawn).max())


def test_a_contrast_map_is_checked_by_the_lead_over_the_rival(
    bundled: Classifier, sample_clip: Path
) -> None:
    options = make_explain_config({"contrast": True})
    explanation = explain_clip(Clip.open(sample_clip), bundled, options)
    found = check_explanation(str(sample_clip), bundled, explanation, options, always=True)
    assert found is not None
    own, rival = explanation.probabilities.mean(0).argsort()[::-1][:2]
    odds = explanation.probabilities[found["window"]]
    assert found["logit"] == pytest.approx(np.log(odds[own] / odds[rival]), rel=1e-3)


def test_an_untrained_network_has_nothing_to_forget(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    untrained = dataclasses.replace(bundled, weights="none")
    with pytest.raises(CannotCheck, match="untrained"):
        check_sanity(str(sample_clip), untrained, explanation, make_explain_config({}))


def test_nothing_moves_in_a_still_image() -> None:
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) + 1
    drops = measure_drops(lambda clips: clips.mean((1, 2, 3, 4)), x, x[0], 16)
    assert drops is not None and drops.frame_difference is None
    assert "frame difference" not in sentence(drops)
