"""The benchmark's clips, drawn once per process."""

from __future__ import annotations

import pytest

from benchmarks.truth import benchmark_clips as module
from benchmarks.truth.benchmark_clips import BenchmarkClips, draw_benchmark_clips
from video_cam import Classifier


@pytest.fixture(scope="session")
def benchmark_clips(bundled: Classifier) -> BenchmarkClips:
    """6 clips; the first 8 that are drawn are enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", 8)
        return draw_benchmark_clips(bundled, 6)
