"""Windows run in parts: the same batches, the same numbers, wherever they are run."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.support.media import moving_square, write_clip
from video_cam.config import ExplainConfig
from video_cam.explanation.clip_plan import plan_clip
from video_cam.explanation.explainer import explain_clip, explain_plan
from video_cam.explanation.window_result import split_windows
from video_cam.explanation.window_runner import WindowRunner
from video_cam.video.clip import Clip


@pytest.mark.parametrize(
    ("windows", "parts", "batch_size", "sizes"),
    [
        (19, 8, 2, [4, 4, 4, 4, 3]),
        (19, 3, 4, [8, 8, 3]),
        (4, 8, 4, [4]),
        (1, 3, 4, [1]),
        (9, 9, 1, [1] * 9),
    ],
)
def test_parts_hold_whole_batches(windows, parts, batch_size, sizes) -> None:
    found = split_windows(range(windows), parts, batch_size)
    assert [len(part) for part in found] == sizes
    assert [window for part in found for window in part] == list(range(windows))


@pytest.mark.parametrize(
    "config", [ExplainConfig(class_ids=("grow",)), ExplainConfig(top_k=2, worst=True)]
)
def test_parts_put_together_are_the_whole(config: ExplainConfig, bundled, tmp_path) -> None:
    clip = Clip.open(write_clip(tmp_path / "v.mp4", moving_square(90)))
    plan = plan_clip(clip, bundled, config)
    asked = []

    def run_in_parts(indices, class_ids):
        """Each part by a runner of its own, as on an actor; the last part first."""
        asked.append(class_ids)
        for part in reversed(split_windows(indices, 3, plan.batch_size)):
            yield from WindowRunner(plan, bundled, config).run(part, class_ids)

    whole = explain_clip(clip, bundled, config)
    parts = explain_plan(plan, config, run_in_parts, time.perf_counter())
    assert asked[0] is None and len(plan.windows) > plan.batch_size
    assert parts.probabilities.tobytes() == whole.probabilities.tobytes()
    assert [m.target for m in parts.maps] == [m.target for m in whole.maps]
    assert parts.notes == whole.notes
    for a, b in zip(parts.maps, whole.maps, strict=True):
        # A class that only a part, or only the whole, took for likely is explained in a second
        # pass, in batches of other windows.
        np.testing.assert_allclose(a.values, b.values, atol=1e-6)


def test_a_part_reads_only_its_own_frames(bundled, tmp_path, monkeypatch) -> None:
    clip = Clip.open(write_clip(tmp_path / "v.mp4", moving_square(160)))
    plan = plan_clip(clip, bundled, ExplainConfig())
    read = []
    frames = Clip.frames
    monkeypatch.setattr(
        Clip, "frames", lambda self, *span: read.append(span) or frames(self, *span)
    )
    last = len(plan.windows) - 1
    [result] = WindowRunner(plan, bundled, ExplainConfig()).run([last])
    indices = plan.windows[last].frame_indices
    assert result.index == last and read == [(indices[0], indices[-1] + 1)]
    assert indices[0] > 0
