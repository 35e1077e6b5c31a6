"""The line of the log that says where the time up to the first window goes."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import psutil
import pytest

from tests.support.media import write_clip
from tests.support.reporting import RecordingReporter
from video_cam.batch import start_up
from video_cam.batch.network import load_explainer
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.batch.start_up import StartUp
from video_cam.config import ExplainConfig
from video_cam.utils.progress import silent
from video_cam.video.clip import Clip

PARTS = ("imports", "weights", "network facts", "first windows")


def test_the_parts_by_hand(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    clock = [100.0]
    monkeypatch.setattr(start_up.time, "time", lambda: clock[0])
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: 98.0)

    def pass_time(seconds: float) -> None:
        clock[0] += seconds

    start = StartUp()
    pass_time(0.5)
    start.end("weights")
    pass_time(7)  # the clip is searched, opened, locked: no part of the start-up
    progress = start.watched(silent)
    pass_time(0.25)
    steps = []
    with caplog.at_level(logging.INFO, "video_cam"), progress("explain", 4) as step:
        for _ in range(2):
            pass_time(0.125)
            steps.append(step(2))
        with progress("check", 1) as other:
            other(1)
    assert start.watched(silent) is silent
    [line] = caplog.messages
    assert line == (
        "start-up: imports 2.00 s, weights 0.50 s, network facts 0.25 s, first windows 0.12 s"
    )


def test_one_line_for_several_clips(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = Clip.open(write_clip(tmp_path / "v.mp4", 4))
    config = RunConfig(ModelConfig("motion3d"), ExplainConfig(check=False))
    with caplog.at_level(logging.INFO, "video_cam"):
        explainer, config = load_explainer(config, RecordingReporter())
        for _ in range(2):
            explainer.explain(clip, config.explain, silent)
    [line] = [message for message in caplog.messages if "start-up" in message]
    pattern = ", ".join(rf"{part} \d+\.\d\d s" for part in PARTS)
    assert re.fullmatch(f"start-up: {pattern}", line)
