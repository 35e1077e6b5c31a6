"""Other tools' maps are of the same clips and classes as this project's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.truth import peers
from benchmarks.truth.benchmark_clips import BenchmarkClips
from benchmarks.truth.map_sources import own_rows
from video_cam import Classifier, UsageError


def test_peers_explain_the_same_class_on_the_clips_grid(
    bundled: Classifier, benchmark_clips: BenchmarkClips
) -> None:
    for name in ("pytorch_grad_cam", "captum", "torchcam"):
        pytest.importorskip(name)
    clips = benchmark_clips.first(2)
    [best] = own_rows(bundled, clips, ["gradcam"], ["layer4"], ["half-pixel"])
    # The second best class, as tools that ignore the class explain the best one.
    with torch.no_grad():
        second = bundled.module(clips.x).argsort(1)[:, -2].tolist()
    clips = replace(clips, class_ids=second)
    [own] = own_rows(bundled, clips, ["gradcam"], ["layer4"], ["half-pixel"])
    rows = list(peers.peer_rows(bundled, clips, ["gradcam"], ["layer4"]))
    assert [row.source for row in rows] == ["pytorch-grad-cam", "captum", "torchcam"]
    for row in rows:
        assert row.volumes.shape == clips.masks.shape
        # The same map, but for interpolation and scale.
        for i in range(2):
            assert _correlation(row.volumes[i], own.volumes[i]) > 0.7
            assert _correlation(row.volumes[i], best.volumes[i]) < 0.5


def _correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    """Of the positive parts, as some tools return nothing else."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]).clamp(min=0))[0, 1])


def test_peers_are_asked_only_for_methods_that_they_have() -> None:
    assert peers.peers_with("gradcam") == ["pytorch-grad-cam", "captum", "torchcam"]
    assert peers.peers_with("hirescam") == ["pytorch-grad-cam"]
    assert peers.peers_with("scorecam") == []  # on clips it fails or takes minutes


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(peers.importlib, "import_module", missing)
    with pytest.raises(UsageError, match="pip install grad-cam"):
        peers.check_installed()
