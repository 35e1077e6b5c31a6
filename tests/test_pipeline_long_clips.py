"""Clips of any length: memory stays flat, results stay small, late parts are explained alike."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

import run_video_cam
import video_cam
from tests.support import media
from tests.support.memory import allocate_too_much
from video_cam import Classifier, Explanation
from video_cam.explanation.map_series import ClassTarget, MapSeries
from video_cam.layers.alignment import CellCentres
from video_cam.video.timeline import Timeline

SHORT, LONG = 50, 600  # frames

CODE = """
import resource, sys, torch, video_cam
from video_cam.utils.allocator import keep_freed_memory
keep_freed_memory()  # as the command does
torch.set_num_threads(1)
model = video_cam.load_model("motion3d")
peaks = []
for clip in sys.argv[1:]:
    explanation = video_cam.explain(clip, model, align="receptive-field")
    video_cam.render(clip, explanation, clip + ".out", max_keyframes=8)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
print(*peaks)
"""


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """A frame is 0.7 MB here: keeping them would take 390 MB more."""
    pictures = media.moving_square(20, 640, 360)
    clips = [
        media.write_clip(
            tmp_path / f"{length}.mp4",
            [pictures[i % 20] for i in range(length)],
            time_base=Fraction(1, 30),
            options={"preset": "ultrafast"},
        )
        for length in (SHORT, LONG)
    ]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, clips)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(run_video_cam.__file__).parent,
        timeout=300,
    )
    short, long = map(int, done.stdout.split())
    # The encoder's and the allocator's buffers fill up in the first thousand frames or so, and
    # stay as they are from there on.
    assert long - short < 100


def test_an_hour_is_explained_in_less_than_50_mb(explanation: Explanation, tmp_path) -> None:
    """30 frames per second, 400 classes, r3d_18's layer4, half a window apart."""
    rng = np.random.default_rng(0)
    num_frames, windows = 3600 * 30, 3600 * 15 // 8
    values = rng.standard_normal((windows, 2, 7, 7), dtype=np.float32)
    centres = CellCentres(np.array([0.0, 8.0]), *[np.arange(7) * 16.0] * 2)
    starts = np.arange(windows)[:, None] * 16
    hour = replace(
        explanation,
        timeline=Timeline(np.arange(num_frames) * 1001, Fraction(1, 30000), 1001),
        span=(0, num_frames),
        scenes=((0, num_frames),),
        frame_indices=np.minimum(starts + 2 * np.arange(16), num_frames - 1),
        num_padded=np.zeros(windows, np.int64),
        probabilities=rng.random((windows, 400), dtype=np.float32),
        labels=tuple(map(str, range(400))),
        maps=(MapSeries(ClassTarget(0), "0", "layer4", "gradcam", values, centres),),
    )
    hour.save(tmp_path / "hour.npz")
    assert (tmp_path / "hour.npz").stat().st_size < 50e6
    np.testing.assert_array_equal(Explanation.load(tmp_path / "hour.npz").maps[0].values, values)


def test_a_late_part_is_explained_like_that_part_alone(tmp_path: Path, bundled: Classifier) -> None:
    pictures = media.moving_square(80, 96, 64)
    whole, part = (
        media.write_clip(
            tmp_path / name, frames, time_base=Fraction(1, 16), codec="ffv1", pix_fmt="yuv420p"
        )
        for name, frames in (("whole.mkv", pictures), ("part.mkv", pictures[40:]))
    )
    found = video_cam.explain(whole, bundled, start=2.5)
    expected = video_cam.explain(part, bundled)
    np.testing.assert_array_equal(found.frame_indices - 40, expected.frame_indices)
    np.testing.assert_allclose(found.maps[0].values, expected.maps[0].values, rtol=1e-3, atol=1e-5)


def test_a_clip_is_explained_in_smaller_batches(bundled: Classifier, sample_clip: Path) -> None:
    whole = video_cam.explain(sample_clip, bundled)
    assert len(whole.frame_indices) > 2
    sizes = []

    def fail_above_two(module, inputs) -> None:
        sizes.append(len(inputs[0]))
        if len(inputs[0]) > 2:
            allocate_too_much()

    hook = bundled.module.register_forward_pre_hook(fail_above_two)
    try:
        halved = video_cam.explain(sample_clip, bundled)
    finally:
        hook.remove()
    assert max(sizes) > 2 and sizes[-1] <= 2
    assert any("out of memory with batches of" in note.text for note in halved.notes)
    np.testing.assert_allclose(halved.probabilities, whole.probabilities, atol=1e-5)
    np.testing.assert_allclose(halved.maps[0].values, whole.maps[0].values, atol=1e-4)
