"""The CPU time of each clip of a folder, at the smallest size."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed import clip_overhead
from benchmarks.speed.clip_overhead import process, write_clips
from video_cam.video.reader import FrameReader


def test_each_clip_is_processed_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_overhead, "WARM_UP", 1)
    monkeypatch.setattr(clip_overhead, "NUM_DRAWN", 1)
    clips = write_clips(tmp_path / "clips", 2)
    with FrameReader(clips[0]) as reader:
        shapes = {frame.rgb().shape for frame in reader}
    assert shapes == {(clip_overhead.HEIGHT, clip_overhead.WIDTH, 3)}
    [cost], times = process(clips, tmp_path / "out")
    network = times.stages["explain", "network"]
    assert network.calls == 1 and 0 < network.cpu < cost
    assert times.stages["clip", "claim the clip"].calls == 2  # entered and left
    every = [*times.passes.values(), *times.stages.values()]
    assert 0 < sum(one.own_cpu for one in every) < cost, "nothing is counted twice"
    assert len(list((tmp_path / "out").glob("*/summary.json"))) == 2


def test_a_failed_clip_ends_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_overhead, "WARM_UP", 1)
    (tmp_path / "clips").mkdir()
    wrong = tmp_path / "clips" / "wrong.mp4"
    wrong.write_bytes(b"no video")
    with pytest.raises(RuntimeError, match=r"wrong\.mp4"):
        process([wrong], tmp_path / "out")
