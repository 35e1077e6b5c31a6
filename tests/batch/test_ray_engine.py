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

import numpy as np
import pytest
import torch

import run_video_cam
import video_cam
from tests.support.command import BUNDLED, ROOT, assert_one_error_line, records_in, results_in
from tests.support.media import moving_square, write_clip
from tests.support.thread_worker import ThreadWorker
from video_cam import Explanation, UsageError
from video_cam.batch import local, ray_engine
from video_cam.batch.inputs import long_name
from video_cam.batch.jobs import Job
from video_cam.batch.run_config import ModelConfig, RayConfig, RunConfig
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.rendering.result_folder import SUMMARY_FILE

WORDS = (*BUNDLED, "--engine", "ray", "--actor-cpus", "1", "--max-keyframes", "1")


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A cluster of two cores, with the decoder of tests/support/faulty."""
    pytest.importorskip("ray.data", reason="Ray is not installed: requirements-ray.txt has it")
    import ray

    paths = os.pathsep.join([str(ROOT / "tests" / "support" / "faulty"), str(ROOT)])
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}},
    )
    yield
    ray.shutdown()


def run(*words: object) -> int:
    return run_video_cam.main([*map(str, words)])


def test_actors_give_the_results_of_one_process(
    cluster, tmp_path, sample_clip, bundled, capsys, monkeypatch
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    shutil.copy(sample_clip, clips / "0.mp4")
    write_clip(clips / "1 worker dies once.mp4", 20)
    write_clip(clips / "2 actor dies once.mp4", 20)
    (clips / "3.mp4").write_text("no video")
    assert run("--clip", clips, *WORDS, "--output-dir", out) == 1
    said = capsys.readouterr().out
    assert "4 clips on 2 actors of 1 CPU core\n" in said
    assert "model motion3d (DRAWN_MOTION_V1) on cpu" in said  # sent by an actor
    states = {Path(record["clip"]).name: record["status"] for record in records_in(out)}
    assert states.pop("3.mp4") == "failed"
    assert set(states.values()) == {"done"} and len(states) == 3
    for name in states:
        ours = video_cam.explain(clips / name, bundled)
        theirs = Explanation.load(out / name.removesuffix(".mp4") / "explanation.npz")
        assert theirs.probabilities.tobytes() == ours.probabilities.tobytes()
        for a, b in zip(theirs.maps, ours.maps, strict=True):
            assert (a.values.dtype, a.values.tobytes()) == (b.values.dtype, b.values.tobytes())
        np.testing.assert_array_equal(theirs.frame_indices, ours.frame_indices)
    # A second run, also without a cluster, has only the clip to do that failed.
    monkeypatch.setattr(local, "Worker", ThreadWorker)
    assert run("--clip", clips, *WORDS, "--engine", "local", "--output-dir", out) == 1
    assert len(records_in(out)) == 5


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
    asked = ("--align", "receptive-field", "--check", "--guided", "--output-dir", tmp_path / "out")
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


def test_spread_with_a_wrong_class(cluster, tmp_path, capsys) -> None:
    clip = write_clip(tmp_path / "long.mp4", 20)
    words = (*WORDS, "--spread", "--actor-cpus", 2, "--output-dir", tmp_path / "out")
    status = run("--clip", clip, *words, "--class-id", "grwo")
    assert_one_error_line(status, capsys.readouterr().err, 2, "did you mean grow")


def test_an_actor_and_its_worker_tell_the_folder_that_was_used(tmp_path: Path, monkeypatch) -> None:
    """Another run has written to the planned folder in between."""
    monkeypatch.setattr(local, "Worker", ThreadWorker)
    clip, taken = write_clip(tmp_path / "v.mp4", 4), tmp_path / "out" / "v" / SUMMARY_FILE
    taken.parent.mkdir(parents=True)
    taken.write_text('{"clip_id": "another"}')
    config = RunConfig(
        model=ModelConfig(name="motion3d"),
        explain=ExplainConfig(align="receptive-field", check=False),
        render=RenderConfig(max_keyframes=1),
        output_dir=str(tmp_path / "out"),
    )
    actor = ray_engine.ClipActor(config)
    answer = actor({"number": 0, "job": pickle.dumps(Job(clip, "v"))})
    actor._worker.close()
    record = pickle.loads(answer["record"])
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


@pytest.mark.parametrize(
    ("config", "resources", "in_all", "num_actors"),
    [
        (RunConfig(), {"num_cpus": 4}, {"CPU": 11.0}, 2),
        (RunConfig(ray=RayConfig(actor_cpus=2)), {"num_cpus": 2}, {"CPU": 11.0}, 5),
        (RunConfig(model=ModelConfig(use_cuda=True)), {"num_gpus": 1}, {"CPU": 2.0, "GPU": 8.0}, 8),
        (RunConfig(model=ModelConfig(device="cuda:0")), {"num_gpus": 1}, {"GPU": 1.0}, 1),
    ],
)
def test_as_many_actors_as_the_cluster_has_room_for(
    config: RunConfig, resources: dict, in_all: dict, num_actors: int
) -> None:
    ray = SimpleNamespace(cluster_resources=lambda: in_all)
    assert ray_engine._actor_resources(config) == resources
    assert ray_engine._max_actors(ray, resources) == num_actors


def test_a_cluster_without_gpus() -> None:
    ray = SimpleNamespace(cluster_resources=lambda: {"CPU": 64.0})
    words = "an actor takes 1 GPU, and the cluster has 0 in all: leave --use-cuda out"
    with pytest.raises(UsageError, match=words):
        ray_engine._max_actors(ray, {"num_gpus": 1})
