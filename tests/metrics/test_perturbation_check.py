"""The perturbation check: drops by hand, random regions, windows that are read by seeking."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support import media
from tests.support.networks import PoolLinear
from tests.support.output_networks import Returning
from tests.support.random_state import random_states_kept
from video_cam import Classifier, Explanation, load_model
from video_cam.analysis.window_input import read_input
from video_cam.config import make_explain_config
from video_cam.errors import CheckNotApplicable
from video_cam.explanation.explainer import explain_clip
from video_cam.explanation.map_series import ClassTarget, FunctionTarget
from video_cam.metrics import baseline_of, perturbation_check
from video_cam.metrics.faithfulness import rank_voxels
from video_cam.metrics.perturbation_check import (
    MASKED_SHARE,
    Drops,
    frame_difference,
    measure_drops,
    run_perturbation_check,
    sentence,
    shifted_regions,
)
from video_cam.video.clip import Clip
from video_cam.video.reader import FrameReader

# An alignment that need not be measured, and maps as they are in the layer: seconds less.
PLAIN = {"align": "receptive-field", "detail": "none"}
CONFIG = make_explain_config(PLAIN)


def box_score(x: torch.Tensor) -> torch.Tensor:
    return x[:, :, 2:6, 8:16, 8:16].mean((1, 2, 3, 4))


@pytest.fixture
def bright_box() -> tuple[torch.Tensor, torch.Tensor]:
    """A clip (1, 8, 20, 20) with a bright box, and its map: 256 of 3200 voxels, 8 %."""
    x = torch.zeros(1, 8, 20, 20)
    x[:, 2:6, 8:16, 8:16] = 1.0
    return x, x[0].clone()


# Drops


def test_drops_by_hand(bright_box) -> None:
    x, volume = bright_box
    drops = measure_drops(box_score, x, volume, forwards=7)
    blurred = baseline_of(x, "blur")
    assert drops.logit == 1.0
    # The whole box is in the map's tenth, so what is left of it is the blur.
    assert drops.drop == pytest.approx(1 - box_score(blurred[None]).item(), abs=1e-6)
    assert len(drops.random) == 7 - 3
    assert drops.random_drop == pytest.approx(np.mean(drops.random))
    region = rank_voxels(volume) < MASKED_SHARE
    for drop, shifted in zip(drops.random, shifted_regions(region, 4), strict=True):
        left = box_score(torch.where(shifted, blurred, x)[None]).item()
        assert drop == pytest.approx(1 - left, abs=1e-6)
    changing = rank_voxels(frame_difference(x)) < MASKED_SHARE
    left = box_score(torch.where(changing, blurred, x)[None]).item()
    assert drops.frame_difference == pytest.approx(1 - left, abs=1e-6)
    assert drops.carries


def test_the_number_of_clips_in_a_pass_changes_nothing(bright_box) -> None:
    x, volume = bright_box
    sizes: list[int] = []

    def score(clips: torch.Tensor) -> torch.Tensor:
        sizes.append(len(clips))
        return box_score(clips)

    one = measure_drops(score, x, volume, forwards=7, batch=1)
    assert sizes == [1] * 7
    sizes.clear()
    assert measure_drops(score, x, volume, forwards=7, batch=4) == one
    assert sizes == [1, 4, 2]


def test_a_map_of_another_region_does_not_carry(bright_box) -> None:
    x, volume = bright_box
    drops = measure_drops(box_score, x, volume.roll((4, 10, 10), (0, 1, 2)))
    assert drops.drop < 0.1 and not drops.carries
    assert len(drops.random) == 13


def test_there_is_no_share_of_a_score_that_is_not_positive(bright_box) -> None:
    x, volume = bright_box
    assert measure_drops(lambda clips: -box_score(clips), x, volume) is None


def test_a_drop_has_to_be_large_enough_and_larger_than_every_random_one() -> None:
    drops = Drops(5.0, 0.62, (0.05, 0.11), 0.31)
    assert drops.carries
    assert not dataclasses.replace(drops, drop=0.11).carries
    assert not dataclasses.replace(drops, drop=0.04, random=(0.0, 0.01)).carries


def test_the_sentence_says_the_result() -> None:
    drops = Drops(5.0, 0.62, (0.05, 0.11), 0.31)
    assert sentence(drops) == (
        "Blurring the marked 10 % of the video lowers the score by 62 %; blurring a random 10 % "
        "lowers it by 8 %, blurring the 10 % that move most lowers it by 31 %: what is marked "
        "carries the score"
    )
    odd = dataclasses.replace(drops, drop=3.5, random=(0.001,), frame_difference=-0.2)
    assert sentence(odd) == (
        "Blurring the marked 10 % of the video takes the whole score; blurring a random 10 % does "
        "not change it, blurring the 10 % that move most raises it by 20 %: what is marked carries "
        "the score"
    )
    both = dataclasses.replace(drops, drop=3.6, random=(0.8, 2.0))
    assert sentence(both).endswith("marked lowers it 2.6 times as much and carries the score")
    little = dataclasses.replace(drops, drop=0.07, random=(0.01,))
    assert little.carries and sentence(little).endswith("is marked carries a part of the score")
    still = dataclasses.replace(drops, drop=0.1, frame_difference=None)
    assert sentence(still).endswith("by 8 %: what is marked does not carry the score")


# Regions


def test_shifted_regions_have_the_same_size_and_are_always_the_same() -> None:
    region = torch.rand(4, 8, 8) < 0.2
    first, again = shifted_regions(region, 3), shifted_regions(region, 3)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert [int(shifted.sum()) for shifted in first] == [int(region.sum())] * 3
    assert not torch.equal(first[0], first[1])


def test_shifted_regions_keep_clear_of_the_map(bright_box) -> None:
    region = bright_box[1] > 0
    overlaps = [float((s & region).sum() / region.sum()) for s in shifted_regions(region, 13)]
    assert max(overlaps) <= 0.25
    # Where no shift is clear of the region, it is shifted all the same.
    everywhere = torch.ones(2, 4, 4, dtype=torch.bool)
    assert all(shifted.all() for shifted in shifted_regions(everywhere, 2))


def test_the_frame_difference_is_where_something_changes() -> None:
    x = torch.zeros(3, 4, 64, 64)
    x[:, 2:, 30, 40] = 1.0  # appears in frame 2
    change = frame_difference(x)
    assert change.shape == (4, 64, 64)
    assert [float(frame.max()) > 0 for frame in change] == [False, False, True, False]
    assert tuple(np.argwhere(change[2].numpy() > 0).mean(0)) == (30, 40)


def test_nothing_changes_in_a_still_image() -> None:
    x = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) + 1
    assert frame_difference(x).abs().max() == 0
    drops = measure_drops(lambda clips: clips.mean((1, 2, 3, 4)), x, x[0], 16)
    assert drops is not None and drops.frame_difference is None


# The check of a clip


def test_the_check_of_the_sample_clip(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    instant = dataclasses.replace(explanation, seconds={"explain": 0.0})
    clip = Clip.open(sample_clip)
    assert run_perturbation_check(clip, bundled, instant, CONFIG) is None
    result = run_perturbation_check(clip, bundled, instant, CONFIG, always=True)
    series = explanation.maps[0]
    assert result["forwards"] == 16 and len(result["random_drops"]) == 13
    assert result["window"] == explanation.probabilities[:, series.class_id].argmax()
    assert result["logit"] == pytest.approx(series.logits[result["window"]], rel=1e-4)
    assert result["carries"] and result["drop"] > result["random_drop"] + 0.2
    assert (result["class_id"], result["layer"]) == (series.class_id, series.layer)
    assert (result["method"], result["marked_share"]) == (series.method, 0.1)


def test_the_window_with_the_highest_score_is_checked(
    bundled: Classifier, explanation: Explanation, sample_clip: Path, monkeypatch
) -> None:
    last = len(explanation.frame_indices) - 1
    scores = np.arange(last + 1.0)
    monkeypatch.setattr(Explanation, "window_scores", lambda self, series: scores)
    clip = Clip.open(sample_clip)
    result = run_perturbation_check(clip, bundled, explanation, CONFIG, always=True)
    assert result["window"] == last > 0
    assert result["logit"] == pytest.approx(explanation.maps[0].logits[last], rel=1e-4)


def test_the_check_of_a_wrong_map_does_not_carry(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    series = explanation.maps[0]
    shifted = np.roll(series.values, 2, axis=(2, 3))
    wrong = dataclasses.replace(explanation, maps=(dataclasses.replace(series, values=shifted),))
    result = run_perturbation_check(Clip.open(sample_clip), bundled, wrong, CONFIG, always=True)
    assert not result["carries"]


def test_the_check_leaves_the_network_and_the_random_generators_as_they_were(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    weights = {name: value.clone() for name, value in bundled.module.state_dict().items()}
    with random_states_kept():
        run_perturbation_check(Clip.open(sample_clip), bundled, explanation, CONFIG, always=True)
    assert all(torch.equal(weights[n], v) for n, v in bundled.module.state_dict().items())
    assert not bundled.module.training


def test_a_check_takes_no_longer_than_the_maps_did(
    bundled: Classifier, explanation: Explanation, sample_clip: Path, monkeypatch
) -> None:
    # The clock advances by one second from call to call: a forward pass takes one second.
    clock = iter(range(100))
    monkeypatch.setattr(perturbation_check.time, "perf_counter", lambda: next(clock))
    passes = []

    def note(logit, x, volume, forwards: int, batch: int) -> Drops:
        passes.append(forwards)
        return Drops(1.0, 0.5, (0.1,), None)

    monkeypatch.setattr(perturbation_check, "measure_drops", note)
    clip, forwards = Clip.open(sample_clip), []
    for seconds in (5.9, 6.1, 15.9, 16.1):
        known = dataclasses.replace(explanation, seconds={"explain": seconds})
        result = run_perturbation_check(clip, bundled, known, CONFIG)
        forwards.append(result and result["forwards"])
    assert forwards == [None, 6, 6, 16] and passes == [6, 6, 16]


def test_a_logit_below_zero_has_no_share(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    series = explanation.maps[0]
    worst = int(explanation.probabilities.mean(0).argmin())
    changed = dataclasses.replace(series, target=ClassTarget(worst), label="dash up")
    other = dataclasses.replace(explanation, maps=(changed,))
    with pytest.raises(CheckNotApplicable, match="the logit of dash up is not above 0"):
        run_perturbation_check(Clip.open(sample_clip), bundled, other, CONFIG, always=True)


def test_a_map_of_several_classes_or_of_a_function_is_not_checked(
    bundled: Classifier, explanation: Explanation, sample_clip: Path
) -> None:
    series = explanation.maps[0]
    for changes in ({"class_ids": (0, 1)}, {"target": FunctionTarget(0)}):
        other = dataclasses.replace(explanation, maps=(dataclasses.replace(series, **changes),))
        with pytest.raises(CheckNotApplicable, match="the first map is not of one class"):
            run_perturbation_check(Clip.open(sample_clip), bundled, other, CONFIG)


def test_a_contrast_map_is_checked_with_the_difference_of_the_logits(
    bundled: Classifier, sample_clip: Path
) -> None:
    config = make_explain_config({**PLAIN, "contrast": True, "end": 1.0})
    explanation = explain_clip(Clip.open(sample_clip), bundled, config)
    result = run_perturbation_check(
        Clip.open(sample_clip), bundled, explanation, config, always=True
    )
    assert result is not None
    own, rival = explanation.probabilities.mean(0).argsort()[::-1][:2]
    odds = explanation.probabilities[result["window"]]
    assert result["logit"] == pytest.approx(np.log(odds[own] / odds[rival]), rel=1e-3)


def test_a_network_of_another_dtype_is_checked(sample_clip: Path) -> None:
    torch.manual_seed(0)
    network = PoolLinear().double()
    model = load_model(network, num_frames=4, size=(16, 16), frame_rate=8)
    explanation = explain_clip(Clip.open(sample_clip), model, CONFIG)
    result = run_perturbation_check(Clip.open(sample_clip), model, explanation, CONFIG, always=True)
    assert result is not None
    assert result["logit"] == pytest.approx(explanation.maps[0].logits[result["window"]], rel=1e-4)


# Reading a window


@pytest.mark.parametrize("kind", ["softmax", "softmax written out"])
def test_the_logit_behind_a_softmax(kind: str, sample_clip: Path) -> None:
    """The logit itself, or above the mean of all classes where only log p is known."""
    network = Returning(kind)
    model = load_model(network, num_frames=4, size=(16, 16), frame_rate=8)
    config = make_explain_config({"check": False, "align": "half-pixel"})
    clip = Clip.open(sample_clip)
    explanation = explain_clip(clip, model, config)
    found = run_perturbation_check(clip, model, explanation, config, always=True)
    assert found is not None
    x = read_input(clip, model, explanation, found["window"])[None]
    with torch.no_grad():
        logits = network.of_clips(x)[0]
    known = logits if kind == "softmax" else logits - logits.mean()
    expected = known[found["class_id"]]
    assert found["logit"] == pytest.approx(float(expected), abs=1e-4)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[FrameReader]:
    """The readers of clips, in the order in which they were made."""
    made: list[FrameReader] = []
    frames = Clip.frames

    def note(self: Clip, *range_: int) -> FrameReader:
        made.append(frames(self, *range_))
        return made[-1]

    monkeypatch.setattr(Clip, "frames", note)
    return made


def frames_from_the_beginning(path: Path, model: Classifier, indices: np.ndarray) -> torch.Tensor:
    """The network's input (C, T, H, W), all frames of the clip decoded."""
    with FrameReader(path) as reader:
        frames = {frame.index: model.preprocess.frame(frame.rgb()) for frame in reader}
    return model.preprocess.tensor(np.stack([frames[int(i)] for i in indices])[None])[0]


def test_a_window_is_sought_and_has_the_frames_that_were_explained(
    bundled: Classifier, tmp_path: Path, readers: list[FrameReader]
) -> None:
    path = media.write_clip(tmp_path / "v.mp4", 100, options={"g": "10"})
    explanation = explain_clip(Clip.open(path), bundled, CONFIG)
    last = len(explanation.frame_indices) - 1
    indices = explanation.frame_indices[last]
    assert indices[0] > 40
    readers.clear()
    x = read_input(Clip.open(path), bundled, explanation, last)
    assert torch.equal(x, frames_from_the_beginning(path, bundled, indices))
    [reader] = readers
    assert reader.first_decoded == indices[0]
    assert reader.num_decoded <= indices[-1] - indices[0] + 1


def test_a_window_of_a_damaged_clip_has_the_frames_that_were_explained(
    bundled: Classifier, tmp_path: Path, readers: list[FrameReader]
) -> None:
    path = media.write_clip(tmp_path / "v.mp4", 100, options={"g": "10", "bf": "0"})
    media.damage_packets(path, range(20, 30))
    explanation = explain_clip(Clip.open(path), bundled, CONFIG)
    clip = Clip.open(path)
    # What makes this clip a hard one: fewer frames decode than the packets announce.
    assert explanation.timeline.num_frames < clip.timeline.num_frames
    last = len(explanation.frame_indices) - 1
    indices = explanation.frame_indices[last]
    readers.clear()
    x = read_input(clip, bundled, explanation, last)
    assert torch.equal(x, frames_from_the_beginning(path, bundled, indices))
    assert readers[0].first_decoded == 0
