"""Clips on the actors of a Ray cluster of this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import run_video_cam
import video_cam
from tests.support.command import BUNDLED, ROOT, assert_one_error_line, records_in, results_in
from tests.support.media import moving_square, write_clip
from video_cam import Explanation, UsageError
from video_cam.batch import ray_engine
from video_cam.batch.run_config import ModelConfig, RayConfig, RunConfig

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
    cluster, tmp_path, sample_clip, bundled, capsys
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
    # The second run has only the clip to do that failed.
    assert run("--clip", clips, *WORDS, "--output-dir", out) == 1
    assert len(records_in(out)) == 5


def test_the_windows_of_a_clip_on_several_actors(cluster, tmp_path, bundled) -> None:
    clip = write_clip(tmp_path / "long.mp4", moving_square(160), time_base=Fraction(1, 16))
    words = ("--spread", "--batch-size", 2, "--class-id", "grow", "--output-dir", tmp_path / "out")
    assert run("--clip", clip, *WORDS, *words) == 0
    ours = video_cam.explain(clip, bundled, class_ids=["grow"], batch_size=2)
    theirs = Explanation.load(tmp_path / "out" / "long" / "explanation.npz")
    assert len(ours.frame_indices) == 19
    assert theirs.probabilities.tobytes() == ours.probabilities.tobytes()
    assert theirs.maps[0].values.tobytes() == ours.maps[0].values.tobytes()


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
