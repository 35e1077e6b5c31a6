"""Clips of any length: memory stays flat, results stay small, threads end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import run_video_cam
from tests.support import media
from video_cam import Explanation
from video_cam.explanation.explanation import MapSeries
from video_cam.layers.alignment import CellCentres
from video_cam.utils.threads import Behind, ahead
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
    explanation = video_cam.explain(clip, model)
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
        frame_indices=np.minimum(starts + 2 * np.arange(16), num_frames - 1),
        num_padded=np.zeros(windows, np.int64),
        probabilities=rng.random((windows, 400), dtype=np.float32),
        labels=tuple(map(str, range(400))),
        maps=(MapSeries(0, "0", "layer4", "gradcam", values, centres),),
    )
    hour.save(tmp_path / "hour.npz")
    assert (tmp_path / "hour.npz").stat().st_size < 50e6
    np.testing.assert_array_equal(Explanation.load(tmp_path / "hour.npz").maps[0].values, values)


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "ahead"]


def test_ahead_gives_all_in_order_and_stays_near() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    with ahead(numbers(), 3) as items:
        first = next(items)
        time.sleep(0.05)
        assert first == 0 and len(made) <= 5
        assert list(items) == list(range(1, 50))
    assert threads() == []


def test_ahead_raises_where_it_is_taken_and_ends_when_left() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("here")

    with ahead(broken(), 2) as items, pytest.raises(ValueError, match="here"):
        assert next(items) == 1
        next(items)
    with ahead(iter(int, 1), 2) as endless:  # zeros without end
        assert next(endless) == 0
    with pytest.raises(KeyError), ahead(iter(int, 1), 2):
        raise KeyError
    assert threads() == []


def test_behind_keeps_the_order_and_its_depth_and_tells_errors() -> None:
    done: list[int] = []
    with Behind(2) as calls:
        for i in range(20):
            calls.call(done.append, i)
        calls.finish()
    assert done == list(range(20))
    with pytest.raises(ZeroDivisionError), Behind(1) as calls:
        calls.call(lambda: 1 / 0)
        calls.finish()
    held = threading.Event()
    with Behind(2) as calls:
        calls.call(held.wait)
        calls.call(done.append, 20)
        threading.Timer(0.1, held.set).start()
        began = time.perf_counter()
        calls.call(done.append, 21)  # waits for the first
        assert time.perf_counter() - began > 0.05
        calls.finish()
