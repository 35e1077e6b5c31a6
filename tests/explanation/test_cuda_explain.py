"""Whole clips on a CUDA device: the CPU's explanation, memory that runs out, other precisions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import video_cam
from clips.make_clips import SAMPLES
from tests.support.command import BUNDLED as BUNDLED_OPTIONS
from tests.support.command import command
from tests.support.device_checks import (
    assert_same_explanation,
    correlation,
    full_float32,
)
from video_cam import Classifier, Explanation
from video_cam.config import make_explain_config
from video_cam.explanation.clip_plan import plan_clip
from video_cam.explanation.window_runner import WindowRunner
from video_cam.models.registry import BUNDLED
from video_cam.video.clip import Clip

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
CLIPS = Path(video_cam.__file__).parent.parent / "clips"
METHODS = ("gradcam", "layercam", "eigencam", "scorecam", "finercam")


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    with full_float32():
        yield


@pytest.fixture(scope="module")
def on_cuda() -> Classifier:
    return video_cam.load_model(BUNDLED, device="cuda")


def explained(clip: Path, model: Classifier, **options: Any) -> Explanation:
    """Without detail, whose roots make small differences of small values larger."""
    plain = {"layers": ["layer4", "layer3"], "detail": "none"}
    return video_cam.explain(clip, model, **plain | options)


def test_methods_targets_and_measured_alignment(
    sample_clip: Path, bundled: Classifier, on_cuda: Classifier
) -> None:
    # The roots that finer detail takes have no limit to their slope at 0.
    options = {"methods": METHODS, "top_k": 2, "max_channels": 8, "detail": "none"}
    found, expected = (explained(sample_clip, model, **options) for model in (on_cuda, bundled))
    assert_same_explanation(found, expected)


def test_finer_detail(sample_clip: Path, bundled: Classifier, on_cuda: Classifier) -> None:
    found, expected = (
        explained(sample_clip, model, class_ids=[0], detail="layers")
        for model in (on_cuda, bundled)
    )
    assert found.maps[0].values.shape[1:] != (4, 4, 4)
    for one, other in zip(found.maps, expected.maps, strict=True):
        assert correlation(np.asarray(one.values), np.asarray(other.values)) > 0.999, one.layer


def test_bf16_agrees_with_float32(
    sample_clip: Path, bundled: Classifier, on_cuda: Classifier
) -> None:
    found = explained(sample_clip, on_cuda, class_ids=[0], precision="bf16")
    expected = explained(sample_clip, bundled, class_ids=[0])
    for one, other in zip(found.maps, expected.maps, strict=True):
        assert correlation(np.asarray(one.values), np.asarray(other.values)) > 0.99, one.layer


def test_the_command_on_every_clip(tmp_path: Path) -> None:
    for device in (["--use-cuda"], ["--device", "cpu"]):
        words = ["--clip", CLIPS, *BUNDLED_OPTIONS, *device, "--output-dir", tmp_path / device[-1]]
        done = command(*words)
        assert done.returncode == 0, done.stderr
        assert f"on {'cuda' if device == ['--use-cuda'] else 'cpu'}" in done.stdout
    for name in SAMPLES:
        found, expected = (
            Explanation.load(tmp_path / last / name / "explanation.npz")
            for last in ("--use-cuda", "cpu")
        )
        assert found.predictions(1)[0].class_id == expected.predictions(1)[0].class_id
        # The command leaves PyTorch's TF32 as it is, on in convolutions.
        maps = (np.asarray(one.maps[0].values) for one in (found, expected))
        assert correlation(*maps) > 0.99


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "layers": ["layer2", "layer3", "layer4"],
            "methods": ["gradcam", "layercam", "fullgrad", "smoothgradcam++", "shapleycam"],
            "top_k": 3,
        },
        {"methods": ["ablationcam", "scorecam"], "max_channels": 20},
        {"methods": ["gradcam", "layercam"], "eigen_smooth": True, "top_k": 2},
        {"detail": ["none", "layers", "input"], "top_k": 2},
    ],
)
def test_a_window_is_waited_for_three_times(
    options: dict[str, Any], sample_clip: Path, on_cuda: Classifier
) -> None:
    given = {"align": "half-pixel", "batch_size": 1, "layers": ["layer4"]} | options
    config = make_explain_config(given)
    runner = WindowRunner(plan_clip(Clip.open(sample_clip), on_cuda, config), on_cuda, config)
    runner.run([0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            runner.run([0, 1])
        finally:
            torch.cuda.set_sync_debug_mode("default")
    waits = [str(one.message) for one in caught if "called a sync" in str(one.message)]
    assert 0 < len(waits) <= 2 * 3, [f"{one.filename}:{one.lineno}" for one in caught]


def test_a_batch_that_does_not_fit_is_halved(sample_clip: Path) -> None:
    model = video_cam.load_model(BUNDLED, device="cuda", size=(256, 256))
    options: dict[str, Any] = {
        **{"class_ids": [0], "window_stride": 1, "align": "half-pixel"},
        "detail": "none",
    }
    peaks, expected = [], None
    for batch_size in (1, 8):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        expected = explained(sample_clip, model, batch_size=batch_size, **options)
        peaks.append(torch.cuda.max_memory_reserved())
    assert peaks[0] < 0.8 * peaks[1]
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(sum(peaks) / 2 / total)
    try:
        found = explained(sample_clip, model, batch_size=8, **options)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any("out of memory with batches of 8" in note.text for note in found.notes), found.notes
    assert_same_explanation(found, expected)
