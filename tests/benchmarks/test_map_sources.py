"""The benchmark's own maps are those of compute_cams."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import video_cam
from benchmarks.truth import benchmark_clips as benchmark_clips_module
from benchmarks.truth import map_sources
from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.measures import LOCALIZATION, ON_DISTRACTORS, measure_maps
from benchmarks.truth.options import BenchmarkOptions
from models3d.drawn_clips import CLASSES
from tests.support.input_methods import quick_input_method
from video_cam import Classifier

ALIGNMENTS = ("receptive-field", "half-pixel", "nearest")


def test_own_rows_are_upsampled_maps_of_the_target_classes(
    bundled: Classifier, benchmark_clips: BenchmarkClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark_clips_module, "BATCH", 2)  # the last batch has one clip
    clips = benchmark_clips.first(3)
    other_ids = [(class_id + 1) % len(CLASSES) for class_id in clips.class_ids]
    clips = replace(clips, class_ids=other_ids)
    rows = list(map_sources.own_rows(bundled, clips, ["gradcam"], ["layer4"], ALIGNMENTS))
    assert [(row.align, row.source) for row in rows] == [(a, "video_cam") for a in ALIGNMENTS]
    for row in rows:
        [cam] = video_cam.compute_cams(
            bundled.module, clips.x, layers=["layer4"], targets=[other_ids], align=row.align
        )
        expected = video_cam.upsample(cam, clips.masks.shape[1:])
        torch.testing.assert_close(row.volumes, expected, rtol=0, atol=1e-5)
        assert row.seconds > 0
    assert not torch.allclose(rows[0].volumes, rows[1].volumes, atol=1e-3)


def test_maps_with_detail_are_those_of_compute_cams(
    bundled: Classifier, benchmark_clips: BenchmarkClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark_clips_module, "BATCH", 2)
    clips = benchmark_clips.first(3)
    plain, layers, at_input = map_sources.own_rows(
        bundled, clips, ["gradcam"], ["layer4"], ["probe"], ("none", "layers", "input")
    )
    assert [row.detail for row in (plain, layers, at_input)] == ["none", "layers", "input"]
    assert {row.align for row in (plain, layers, at_input)} == {"probe"}
    for row in (layers, at_input):
        [cam] = video_cam.compute_cams(
            bundled.module,
            clips.x[2:],
            layers=["layer4"],
            targets=[clips.class_ids[2:]],
            detail=row.detail,
        )
        expected = video_cam.upsample(cam, clips.masks.shape[1:])
        torch.testing.assert_close(row.volumes[2:], expected, rtol=1e-4, atol=1e-5)
    [only] = map_sources.own_rows(bundled, clips, ["gradcam"], ["layer4"], ["probe"], ["layers"])
    assert only.detail == "layers" and torch.equal(only.volumes, layers.volumes)


def test_maps_of_the_input_are_of_the_first_clips_and_measured_there(
    bundled: Classifier, benchmark_clips: BenchmarkClips, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_input_method(monkeypatch, "occlusion")
    clips = benchmark_clips.first(3)
    methods = ["occlusion", "gradcam"]
    cam, row = map_sources.own_rows(
        bundled, clips, methods, ["layer4"], ["half-pixel"], input_clips=2
    )
    assert cam.method == "gradcam" and len(cam.volumes) == 3
    assert (row.method, row.layer, row.align, row.detail) == ("occlusion", "", "", "")
    [expected] = video_cam.compute_cams(
        bundled.module, clips.x[:2], methods=["occlusion"], targets=[clips.class_ids[:2]]
    )
    torch.testing.assert_close(
        row.volumes, video_cam.upsample(expected, clips.masks.shape[1:]), rtol=1e-4, atol=1e-5
    )
    values = measure_maps(row, bundled, clips, 2)
    assert {len(values[name]) for name in (*LOCALIZATION, ON_DISTRACTORS)} == {3}
    for name in ("average_precision", ON_DISTRACTORS):
        assert np.isfinite(values[name][:2]).all() and np.isnan(values[name][2])
    assert len(values["insertion"]) == 2
    assert BenchmarkOptions(methods=tuple(methods)).default_method == "gradcam"
    assert BenchmarkOptions(methods=("rise",)).default_method == "gradcam"


def test_the_untrained_control_has_other_weights_and_always_the_same(bundled: Classifier) -> None:
    once, again = (map_sources.untrained(bundled).module.state_dict() for _ in range(2))
    trained = bundled.module.state_dict()
    assert all(torch.equal(once[name], again[name]) for name in trained)
    assert not torch.allclose(once["fc.weight"], trained["fc.weight"])
