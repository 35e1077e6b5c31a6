"""A row's measures are those of video_cam.metrics, clip by clip."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.truth import measures
from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.map_sources import MapRow
from video_cam import Classifier, metrics


def test_maps_on_the_event_are_better_than_maps_off_it(
    bundled: Classifier, benchmark_clips: BenchmarkClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "CURVE_STEPS", 4)
    clips = benchmark_clips.first(2)
    on_event = torch.from_numpy(clips.masks).float()
    values = [
        measures.measure_maps(MapRow("", "", "", "", volumes, 0.0), bundled, clips, 1)
        for volumes in (on_event, 1 - on_event)
    ]
    good, bad = values
    assert set(good) == {
        *(*measures.LOCALIZATION, measures.ON_DISTRACTORS),
        *(*measures.FAITHFULNESS, *measures.MEAN_MAP),
    }
    for name in (
        *("space_pointing", "space_time_pointing", "mass_in_event", "space_time_iou"),
        *("average_precision", "best_iou"),
    ):
        assert good[name].tolist() == [1.0, 1.0]
        assert (bad[name] < 0.9).all(), name
    assert good["temporal_hit"].tolist() == [1.0, 1.0]
    assert good["onset_error_frames"].tolist() == [0.0, 0.0]
    assert np.abs(good["lag_frames"]).max() < 1
    assert good["mass_on_distractors"].tolist() == [0.0, 0.0]
    shares = clips.distractors.mean((1, 2, 3)) / (1 - clips.masks.mean((1, 2, 3)))
    assert bad["mass_on_distractors"] == pytest.approx(shares)
    for name in (*measures.FAITHFULNESS, *measures.MEAN_MAP):
        assert good[name].shape == (1,)
    assert good["insertion"] > bad["insertion"] and good["deletion"] < bad["deletion"]
    assert good["average_drop"] < bad["average_drop"]


def test_units_are_measured_with_their_own_options(
    benchmark_clips: BenchmarkClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "CURVE_STEPS", 2)

    def brightness(model: Classifier | None, class_id: int) -> metrics.faithfulness.Score:
        return lambda x: x.mean((1, 2, 3, 4))

    monkeypatch.setattr(measures, "class_probability", brightness)
    clips = benchmark_clips.first(2)
    volumes = torch.rand(clips.masks.shape, generator=torch.Generator().manual_seed(0))
    maps = MapRow("", "", "", "", volumes, 0.0)
    cpu_model: Any = SimpleNamespace(device=torch.device("cpu"))
    values = measures.measure_units(maps, cpu_model, clips, 2)
    assert list(values) == list(measures.UNIT_COLUMNS) and len(values) == 18
    expected = metrics.deletion(
        brightness(None, 0), clips.x[1], volumes[1], unit="frames", baseline="mean", steps=2
    )
    assert values["deletion, frames, mean"][1] == expected


def test_class_probability_is_the_softmax_of_one_class(
    bundled: Classifier, benchmark_clips: BenchmarkClips
) -> None:
    x = benchmark_clips.x[:1]
    expected = bundled.module(x).softmax(1)[:, 3]
    assert torch.equal(measures.class_probability(bundled, 3)(x), expected)
