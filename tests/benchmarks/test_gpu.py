"""The GPU benchmark's parts, on a CPU and at the smallest sizes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from benchmarks.speed import network_costs
from benchmarks.speed.device_run import Run
from benchmarks.speed.stage_times import CONTEXTS, PASSES, STAGES, measured
from tests.support.media import write_clip
from video_cam import Classifier
from video_cam.attribution.attributor import Attributor
from video_cam.batch.network import NetworkExplainer
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.pipeline import process_clip
from video_cam.video.reader import FrameReader

FRAMES = 4


def make_run(folder: Path, seconds_left: float = 60) -> Run:
    return Run("cpu", folder, 1, (32, 32), time.perf_counter() + seconds_left, folder / "f.json")


def test_every_stage_is_timed_and_the_functions_are_left_as_found(
    bundled: Classifier, tmp_path: Path
) -> None:
    before = Attributor.__call__, FrameReader.__iter__
    clip = write_clip(tmp_path / "small.mp4", FRAMES)
    explainer, options = NetworkExplainer(bundled), ExplainConfig(check=True)
    with measured("cpu") as times:
        process_clip(clip, tmp_path / "out", explainer, options, RenderConfig(max_keyframes=1))
    assert (Attributor.__call__, FrameReader.__iter__) == before
    without_command = {"load the network", "clip", "fingerprint"}
    assert set(times.passes) == set(PASSES) - without_command
    stages = {*STAGES, *CONTEXTS, "decode"} - {"claim the clip"}
    assert {stage for _, stage in times.stages} == stages
    assert times.stages["render", "results to disk"].calls == 2  # entered and left
    proof = times.stages["render", "prove the copy"]
    assert 0 < proof.own_cpu < proof.cpu, "decoding is a stage of its own"
    assert 0 < times.passes["render"].own_cpu < times.passes["render"].cpu
    assert times.stages["render", "draw"].calls == FRAMES
    assert times.stages["explain", "decode"].calls == FRAMES + 1  # the last one finds the end
    network = times.stages["explain", "network"]
    check = times.stages["check", "network in the check"]
    assert network.calls == 1 and check.calls > 1
    assert times.network_seconds == pytest.approx(network.wall + check.wall)
    assert 0 < network.wall < times.passes["explain"].wall
    json.dumps(times.as_json())


def test_network_costs_on_a_cpu(
    bundled: Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(network_costs, "ROUNDS", 1)
    monkeypatch.setattr(network_costs, "BATCH", 1)
    run = make_run(tmp_path)
    run.part("Grad-CAM", 0, lambda: network_costs.gradcam(run, bundled))
    assert run.num_failed == 0 and run.found["Grad-CAM"]["1"]["forward"] > 0
    assert "Grad-CAM takes" in capsys.readouterr().out
    assert json.loads((tmp_path / "f.json").read_text()) == run.found


def test_a_part_that_fails_or_that_no_time_is_left_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path, seconds_left=5)
    run.part("wrong", 0, lambda: 1 / 0)
    run.part("long", 10, lambda: 1)
    assert run.found == {"wrong": {"error": "ZeroDivisionError: division by zero"}}
    assert run.num_failed == 1 and "long: left out, no time is left" in capsys.readouterr().out
