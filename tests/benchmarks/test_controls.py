"""The benchmark's controls are what their names say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.truth import controls
from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.map_sources import class_volumes
from video_cam import Classifier


def test_random_maps_are_coarse_uniform_noise(benchmark_clips: BenchmarkClips) -> None:
    maps = controls.random_maps(benchmark_clips)
    assert torch.equal(maps, controls.random_maps(benchmark_clips))
    assert maps.shape == benchmark_clips.masks.shape
    # Pixels beyond the outermost cell centres have the value of the cell.
    corners = maps[:, ::15, ::63, ::63]
    assert corners.min() >= 0 and corners.max() <= 1
    assert corners.mean() == pytest.approx(0.5, abs=0.1) and corners.std() > 0.2
    assert not torch.equal(maps[0], maps[1])
    assert torch.equal(maps[:, :, :8, 0], maps[:, :, :1, 0].expand(-1, -1, 8))


def test_centre_gaussian_is_highest_in_the_middle(benchmark_clips: BenchmarkClips) -> None:
    middle = controls.centre_gaussian(benchmark_clips)
    assert middle[0, 8, 32, 32] > 0.99 and middle[0, 0, 0, 0] == pytest.approx(np.exp(-6), rel=1e-4)


def test_frame_difference_marks_what_moves(benchmark_clips: BenchmarkClips) -> None:
    frames = np.zeros((1, 3, 64, 64, 3), np.uint8)
    frames[0, 2, 20, 40] = 200
    change = controls.frame_difference(replace(benchmark_clips, frames=frames))
    assert change.shape == (1, 3, 64, 64) and change[0, :2].abs().max() == 0
    assert divmod(int(change[0, 2].argmax()), 64) == (20, 40)
    assert change[0, 2].sum() == pytest.approx(200, rel=1e-3)  # a blur keeps the sum


def test_edge_strength_marks_edges_at_rest(benchmark_clips: BenchmarkClips) -> None:
    frames = np.full((1, 3, 64, 64, 3), 40, np.uint8)
    frames[0, :, :, 32:] = 90  # a vertical edge between columns 31 and 32
    strength = controls.edge_strength(replace(benchmark_clips, frames=frames))
    assert strength.shape == (1, 3, 64, 64)
    assert torch.equal(strength[0, 0], strength[0, 2])
    columns = strength[0, 1].mean(0)
    assert columns[31] == pytest.approx(columns[32]) == columns.max()
    assert columns[31] > 5 * columns[24] and columns[:16].max() < 1e-3
    turned = np.swapaxes(frames, 2, 3)
    assert torch.allclose(
        controls.edge_strength(replace(benchmark_clips, frames=turned)), strength.mT, atol=1e-4
    )


def test_the_default_map_is_multiplied_with_what_any_clip_shows(
    bundled: Classifier, benchmark_clips: BenchmarkClips
) -> None:
    clips = benchmark_clips.first(2)
    rows = {row.method: row for row in controls.control_rows(bundled, clips, "gradcam", "layer4")}
    default = class_volumes(bundled, clips, "gradcam", "layer4", "probe").clamp(min=0)
    for name, factor in (
        ("gradcam x frame difference", controls.frame_difference(clips)),
        ("gradcam x edge strength", controls.edge_strength(clips)),
    ):
        row = rows[name]
        assert (row.source, row.layer, row.align, row.detail) == ("control", "layer4", "probe", "")
        torch.testing.assert_close(row.volumes, default * factor)
