"""Clips on the actors of a Ray cluster of this machine."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import run_video_cam
import video_cam
from tests.support.command import BUNDLED, ROOT, assert_one_error_line, records_in, results_in
from tests.support.media import moving_square, write_clip
from tests.support.reporting import RecordingReporter
from tests.support.thread_worker import ThreadWorker
from video_cam import Explanation, UsageError
from video_cam.batch import ray_engine, ray_stages, supervision
from video_cam.batch.inputs import long_name
from video_cam.batch.jobs import Job
from video_cam.batch.ray_stages import Pool, StageActor
from video_cam.batch.run_config import ModelConfig, RayConfig, RunConfig
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.rendering.result_folder import SUMMARY_FILE

ALIGN = ("--align", "receptive-field")  # actors, too, would measure where cells look
WORDS = (*BUNDLED, "--engine", "ray", "--actor-cpus", "1", "--max-keyframes", "1", *ALIGN)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A cluster of two cores, with the decoder of tests/support/faulty."""
    pytest.importorskip("ray.data", reason="Ray is not installed: requirements-ray.txt has it")
    import ray

    paths = os.pathsep.join([str(ROOT / "tests" / "support" / "faulty"), str(ROOT)])
    ray.init(
        address="local",
        num_cpus=2,
        num_gpus=1,  # none, in truth: the network runs on the processor
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}},
    )
    yield
    ray.shutdown()


def run(*words: object) -> int:
    return run_video_cam.main([*map(str, words)])


def test_three_stages_give_the_results_of_one_process(
    cluster, tmp_path, sample_clip, bundled, capsys, monkeypatch
) -> None:
    """A process dies in each of them: nothing is lost, and no clip is explained twice for that."""
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    shutil.copy(sample_clip, clips / "0.mp4")
    deaths = ("reading worker", "network actor", "drawing actor")
    faulty = [write_clip(clips / f"{who} dies once.mp4", 20) for who in deaths]
    (clips / "3.mp4").write_text("no video")
    assert run("--clip", clips, *WORDS, "--use-cuda", "--output-dir", out) == 1
    said = capsys.readouterr().out
    assert "5 clips: the network on 1 actor of 1 GPU; 1 actor of 1 CPU core read them" in said
    assert said.count("model motion3d (DRAWN_MOTION_V1) on cpu") == 1  # sent by an actor
    states = {Path(record["clip"]).name: record["status"] for record in records_in(out)}
    assert states.pop("3.mp4") == "failed"
    assert set(states.values()) == {"done"} and len(states) == 4
    assert all(path.with_name(f"{path.name}.tried").exists() for path in faulty)
    explained = [path.with_name(f"{path.name}.opened").read_text() for path in faulty]
    # For its check, once. Twice where the actor with the network died.
    assert [lines.count("network") for lines in explained] == [1, 2, 1]
    for name in states:
        ours = video_cam.explain(clips / name, bundled, align="receptive-field")
        theirs = Explanation.load(out / name.removesuffix(".mp4") / "explanation.npz")
        assert theirs.probabilities.tobytes() == ours.probabilities.tobytes()
        for a, b in zip(theirs.maps, ours.maps, strict=True):
            assert (a.values.dtype, a.values.tobytes()) == (b.values.dtype, b.values.tobytes())
        np.testing.assert_array_equal(theirs.frame_indices, ours.frame_indices)
    # A second run, also without a cluster, has only the clip to do that failed.
    monkeypatch.setattr(supervision, "Worker", ThreadWorker)
    assert run("--clip", clips, *WORDS, "--engine", "local", "--output-dir", out) == 1
    assert len(records_in(out)) == 6


COUNTING = """
import os

from models3d.motion3d import Motion3D


class Counting(Motion3D):
    def forward(self, x):
        if x.device.type != "meta":  # not a run on shapes alone
            with open({log!r}, "a") as file:
                file.write(f"{{os.getpid()}} {{len(x)}}\\n")
        return super().forward(x)


def make():
    return Counting()


def lead(out):
    return out[:, 1] - out[:, 2]
"""
LONG = ("--num-frames", 16, "--size", 64, "--frame-rate", 16, "--batch-size", 2)


def test_spread_runs_the_network_on_the_actors_alone(cluster, tmp_path, bundled) -> None:
    """The driver runs no forward pass, not even for checks and input gradients."""
    clip = write_clip(tmp_path / "long.mp4", moving_square(96), time_base=Fraction(1, 16))
    log = tmp_path / "forwards.txt"
    factory = tmp_path / "counting.py"
    factory.write_text(COUNTING.format(log=str(log)))
    weights = tmp_path / "weights.pth"
    torch.save(bundled.module.state_dict(), weights)
    words = ("--engine", "ray", "--actor-cpus", 1, "--spread", "--max-keyframes", 1, *LONG)
    network = (
        "--model",
        f"{factory}:make",
        "--weights",
        weights,
        "--class-id",
        1,
        "--target",
        f"{factory}:lead",
        "--layer",
        "layer4",
    )
    asked = (*ALIGN, "--check", "--guided", "--output-dir", tmp_path / "out")
    assert run("--clip", clip, *network, *words, *asked) == 0
    processes = [int(line.split()[0]) for line in log.read_text().splitlines()]
    assert os.getpid() not in processes
    assert len(set(processes)) == 2  # both actors
    size = {"num_frames": 16, "size": (64, 64), "frame_rate": 16}
    model = video_cam.load_model(f"{factory}:make", weights, **size)
    options = {"layers": ["layer4"], "align": "receptive-field", "batch_size": 2}

    def lead(out: torch.Tensor) -> torch.Tensor:
        return out[:, 1] - out[:, 2]

    ours = video_cam.explain(clip, model, class_ids=[1], targets=[lead], **options)
    folder = tmp_path / "out" / "long"
    theirs = Explanation.load(folder / "explanation.npz")
    assert len(ours.frame_indices) == 11
    assert theirs.probabilities.tobytes() == ours.probabilities.tobytes()
    assert [series.label for series in theirs.maps] == [model.labels[1], "lead"]
    for a, b in zip(theirs.maps, ours.maps, strict=True):
        assert a.values.tobytes() == b.values.tobytes()
    assert theirs.check is not None
    guided, keyframes = (
        [path.name for path in (folder / name).iterdir()] for name in ("guided", "keyframes")
    )
    assert guided == keyframes and len(guided) == 1
    # Nothing has changed: the second run finds the results, and explains nothing. To load a user's
    # network is five forward passes: gradients of its layers, order of frames, two clips at a time.
    log.write_text("")
    assert run("--clip", clip, *network, *words, *asked, "--actor-cpus", 2) == 0
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["1", "1", "1", "1", "2"]


@pytest.mark.parametrize("way", [("--spread",), ()], ids=str)
def test_a_wrong_class(way, cluster, tmp_path, capsys) -> None:
    clip = write_clip(tmp_path / "long.mp4", 20)
    words = (*WORDS, *way, "--actor-cpus", 2, "--output-dir", tmp_path / "out")
    status = run("--clip", clip, *words, "--class-id", "grwo")
    assert_one_error_line(status, capsys.readouterr().err, 2, "did you mean grow")


def test_a_wrong_class_ends_a_run_in_stages_before_its_clips(tmp_path: Path) -> None:
    """Where the network is loaded for the first time; here in this process."""
    ray = SimpleNamespace(
        remote=lambda **_: lambda run: SimpleNamespace(remote=run), get=lambda answer: answer
    )
    config = RunConfig(
        model=ModelConfig(name="motion3d"), explain=ExplainConfig(class_ids=("grwo",))
    )
    pool, jobs = Pool(1, 1, {"num_gpus": 1}), [Job(tmp_path / "v.mp4", "v")]
    with pytest.raises(UsageError, match="did you mean grow"):
        ray_stages.run_in_stages(ray, jobs, config, RecordingReporter(), pool, pool)


def test_an_actor_and_its_worker_tell_the_folder_that_was_used(tmp_path: Path, monkeypatch) -> None:
    """Another run has written to the planned folder in between."""
    monkeypatch.setattr(supervision, "Worker", ThreadWorker)
    clip, taken = write_clip(tmp_path / "v.mp4", 4), tmp_path / "out" / "v" / SUMMARY_FILE
    taken.parent.mkdir(parents=True)
    taken.write_text('{"clip_id": "another"}')
    config = RunConfig(
        model=ModelConfig(name="motion3d"),
        explain=ExplainConfig(align="receptive-field", check=False),
        render=RenderConfig(max_keyframes=1),
        output_dir=str(tmp_path / "out"),
    )
    actor = StageActor(config, b"")
    answer = actor(ray_stages._item(0, Job(clip, "v")))
    actor._worker.close()
    record = pickle.loads(answer["task"])
    assert (record.status, record.folder) == ("done", long_name(clip))
    assert results_in(tmp_path / "out") == ["v", long_name(clip)]
    assert taken.read_text() == '{"clip_id": "another"}'


def test_a_cluster_that_is_too_small(cluster, tmp_path, sample_clip, capsys) -> None:
    status = run("--clip", sample_clip, *WORDS, "--actor-cpus", 64, "--output-dir", tmp_path)
    assert_one_error_line(status, capsys.readouterr().err, 2, "takes 64 CPU cores")
    assert results_in(tmp_path) == []


def test_without_ray_the_error_says_what_to_install(
    monkeypatch, tmp_path, sample_clip, capsys
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    status = run("--clip", sample_clip, *WORDS, "--output-dir", tmp_path)
    expected = "pip install -r requirements-ray.txt"
    assert_one_error_line(status, capsys.readouterr().err, 2, expected)


@pytest.mark.parametrize(("asked", "address"), [(None, "local"), ("auto", "auto")])
def test_a_cluster_that_runs_here_is_joined_on_request_alone(asked, address) -> None:
    options: dict[str, Any] = {}
    ray = SimpleNamespace(init=options.update)
    ray_engine._connect(ray, RunConfig(ray=RayConfig(address=asked)))
    assert options["address"] == address


GPU = ModelConfig(use_cuda=True)
BOUNDS = RayConfig(actors=(2, 8))


@pytest.mark.parametrize(
    ("config", "in_all", "pool"),
    [
        (RunConfig(), {"CPU": 11.0}, Pool(2, 2, {"num_cpus": 4})),
        (RunConfig(ray=RayConfig(actor_cpus=2)), {"CPU": 11.0}, Pool(5, 5, {"num_cpus": 2})),
        (RunConfig(model=GPU), {"CPU": 2.0, "GPU": 8.0}, Pool(1, 8, {"num_gpus": 1})),
        (RunConfig(model=ModelConfig(device="cuda:0")), {"GPU": 1.0}, Pool(1, 1, {"num_gpus": 1})),
        (RunConfig(model=GPU, ray=BOUNDS), {"GPU": 4.0}, Pool(2, 8, {"num_gpus": 1})),
    ],
)
def test_as_many_actors_as_the_cluster_has_room_for(config, in_all, pool) -> None:
    reporter = RecordingReporter()
    assert ray_engine._network_actors(cluster_of(in_all), config, reporter) == pool
    assert reporter.messages == []


def cluster_of(in_all: dict[str, float]) -> Any:
    return SimpleNamespace(cluster_resources=lambda: in_all)


def test_more_actors_than_there_is_room_for_now_may_be_asked_for() -> None:
    reporter = RecordingReporter()
    config = RunConfig(model=GPU, ray=BOUNDS)
    pool = ray_engine._network_actors(cluster_of({"CPU": 4.0, "GPU": 1.0}), config, reporter)
    assert (pool.fewest, pool.most) == (2, 8)
    [message] = reporter.texts("warning")
    assert message == "--actors 2: the cluster has room for 1 now; waiting for more machines"


@pytest.mark.parametrize(
    ("ray_config", "cores", "pool"),
    [
        (RayConfig(), 16, Pool(1, 3, {"num_cpus": 4})),
        (RayConfig(actor_cpus=1), 16, Pool(1, 15, {"num_cpus": 1})),
        (RayConfig(cpu_actors=(2, 6)), 16, Pool(2, 6, {"num_cpus": 4})),
        # There is room for one that reads and one that draws.
        (RayConfig(), 2, Pool(1, 1, {"num_cpus": 1})),
        (RayConfig(), 1, Pool(1, 1, {"num_cpus": 0.5})),
    ],
)
def test_actors_without_a_network_share_the_cores(ray_config, cores, pool) -> None:
    found = ray_engine._processor_actors(cluster_of({"CPU": cores}), RunConfig(ray=ray_config))
    assert found == pool
    assert 2 * found.fewest * found.resources["num_cpus"] <= cores


def test_a_cluster_without_gpus() -> None:
    words = "an actor takes 1 GPU, and the cluster has 0 in all: leave --use-cuda out"
    with pytest.raises(UsageError, match=words):
        ray_engine._network_actors(
            cluster_of({"CPU": 64.0}), RunConfig(model=GPU), RecordingReporter()
        )
