"""The perturbation check separates correct maps from wrong ones."""

from __future__ import annotations

import pytest

from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.check_power import CheckPower, auroc, check_power
from video_cam import Classifier


def test_correct_maps_pass_and_wrong_maps_do_not(
    bundled: Classifier, benchmark_clips: BenchmarkClips
) -> None:
    clips = benchmark_clips.first(5)
    power = check_power(bundled, clips, "gradcam", "layer4", "receptive-field", forwards=6)
    wrong = ("shuffled", "wrong class", "untrained")
    assert set(power.auroc) == {*wrong, "all"} and set(power.pass_rates) == {"correct", *wrong}
    assert power.auroc["all"] > 0.85
    assert power.pass_rates["correct"] > 0.7
    assert max(power.pass_rates[name] for name in wrong) < 0.35


def test_auroc_by_hand() -> None:
    # Of six pairs the positive is higher in four, equal in one.
    assert auroc([3.0, 1.0], [0.0, 1.0, 2.0]) == pytest.approx(4.5 / 6)


def test_power_as_text() -> None:
    power = CheckPower({"all": 0.987}, {"correct": 0.881, "shuffled": 0.0})
    assert str(power) == "AUROC all 0.99; maps that pass: correct 88%, shuffled 0%"
