"""The benchmark's own maps are those of compute_cams, and its controls are what their names say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import video_cam
from benchmarks.truth import benchmark_clips as benchmark_clips_module
from benchmarks.truth import map_sources
from benchmarks.truth.benchmark_clips import BenchmarkClips
from models3d.drawn_clips import CLASSES
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


def test_random_maps_are_coarse_uniform_noise(benchmark_clips: BenchmarkClips) -> None:
    maps = map_sources.random_maps(benchmark_clips)
    assert torch.equal(maps, map_sources.random_maps(benchmark_clips))
    assert maps.shape == benchmark_clips.masks.shape
    # Pixels beyond the outermost cell centres have the value of the cell.
    corners = maps[:, ::15, ::63, ::63]
    assert corners.min() >= 0 and corners.max() <= 1
    assert corners.mean() == pytest.approx(0.5, abs=0.1) and corners.std() > 0.2
    assert not torch.equal(maps[0], maps[1])
    assert torch.equal(maps[:, :, :8, 0], maps[:, :, :1, 0].expand(-1, -1, 8))


def test_centre_gaussian_is_highest_in_the_middle(benchmark_clips: BenchmarkClips) -> None:
    middle = map_sources.centre_gaussian(benchmark_clips)
    assert middle[0, 8, 32, 32] > 0.99 and middle[0, 0, 0, 0] == pytest.approx(np.exp(-6), rel=1e-4)


def test_frame_difference_marks_what_moves(benchmark_clips: BenchmarkClips) -> None:
    frames = np.zeros((1, 3, 64, 64, 3), np.uint8)
    frames[0, 2, 20, 40] = 200
    change = map_sources.frame_difference(replace(benchmark_clips, frames=frames))
    assert change.shape == (1, 3, 64, 64) and change[0, :2].abs().max() == 0
    assert divmod(int(change[0, 2].argmax()), 64) == (20, 40)
    assert change[0, 2].sum() == pytest.approx(200, rel=1e-3)  # a blur keeps the sum


def test_the_untrained_control_has_other_weights_and_always_the_same(bundled: Classifier) -> None:
    once, again = (map_sources.untrained(bundled).module.state_dict() for _ in range(2))
    trained = bundled.module.state_dict()
    assert all(torch.equal(once[name], again[name]) for name in trained)
    assert not torch.allclose(once["fc.weight"], trained["fc.weight"])
