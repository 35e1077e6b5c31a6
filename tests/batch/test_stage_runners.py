"""The three stages of a clip, run one after another in this process."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.media import moving_square, write_clip
from video_cam import Classifier, Explanation
from video_cam.batch import runner as runner_module
from video_cam.batch import stage_runners
from video_cam.batch.jobs import DONE, FAILED, SKIPPED, ClipRecord, Job
from video_cam.batch.network import NetworkExplainer
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.batch.runner import ClipRunner
from video_cam.batch.stage import StagedJob
from video_cam.batch.stage_runners import DrawRunner, ExplainRunner, PrepareRunner, facts_of
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.utils.progress import silent
from video_cam.video.clip import Clip

PLAIN = ExplainConfig(align="receptive-field", check=False)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job(write_clip(tmp_path_factory.mktemp("clips") / "v.mp4", moving_square(20)), "v")


def config_of(folder: Path, **options: Any) -> RunConfig:
    return RunConfig(
        model=ModelConfig(name="motion3d"),
        explain=replace(PLAIN, **options),
        render=RenderConfig(max_keyframes=1),
        output_dir=str(folder),
    )


class Stages:
    """The runners of the three stages; what goes from one to the next is pickled on its way."""

    def __init__(self, model: Classifier, config: RunConfig) -> None:
        explainer = NetworkExplainer(model)
        facts = facts_of(config, explainer)
        self.runners = [PrepareRunner(facts), ExplainRunner(config, explainer), DrawRunner(facts)]

    def run(self, task: Any, first: int = 0) -> ClipRecord:
        for runner in self.runners[first:]:
            task = runner.run(pickle.loads(pickle.dumps(task)), silent, wait_seconds=0)
            if isinstance(task, ClipRecord):
                return task
        raise AssertionError("the last stage returned no record")

    def explained(self, job: Job) -> StagedJob:
        task: Any = job
        for runner in self.runners[:2]:
            task = runner.run(task, silent, wait_seconds=0)
        return task


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_stages_give_what_one_process_gives(job: Job, bundled: Classifier, tmp_path: Path) -> None:
    """Fingerprint included: the results of the one are skipped by the other."""
    config = config_of(tmp_path / "stages", guided=True, check=True)
    assert Stages(bundled, config).run(job).status == DONE
    whole = replace(config, output_dir=str(tmp_path / "whole"))
    assert ClipRunner(whole, NetworkExplainer(bundled)).run(job).status == DONE
    ours, theirs = tmp_path / "stages" / "v", tmp_path / "whole" / "v"
    assert files_in(ours) == files_in(theirs)
    assert any(name.startswith("guided/") for name in files_in(ours))
    for name in files_in(ours) - {"summary.json", "explanation.npz", "index.html"}:
        assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name
    a, b = (Explanation.load(folder / "explanation.npz") for folder in (ours, theirs))
    assert [m.values.tobytes() for m in a.maps] == [m.values.tobytes() for m in b.maps]
    assert (a.check, a.notes, a.options) == (b.check, b.notes, b.options)
    assert ClipRunner(config, NetworkExplainer(bundled)).run(job).status == SKIPPED


def test_finished_clips_are_not_read(job, bundled, tmp_path, monkeypatch) -> None:
    config = config_of(tmp_path / "out")
    assert Stages(bundled, config).run(job).status == DONE
    monkeypatch.setattr(stage_runners, "prepare_clip", None)
    assert Stages(bundled, config).run(job).status == SKIPPED
    again = Stages(bundled, replace(config, overwrite=True)).run(job)
    assert again.status == FAILED and "NoneType" in (again.error or "")


def test_a_clip_is_read_once_and_a_long_one_beside_the_network(
    job, bundled, tmp_path, monkeypatch
) -> None:
    spans = []
    frames = Clip.frames
    monkeypatch.setattr(Clip, "frames", lambda clip, *s: spans.append(s) or frames(clip, *s))
    stages = Stages(bundled, config_of(tmp_path / "out"))
    prepared = stages.runners[0].run(job, silent, wait_seconds=0)
    assert spans == [(0, 20)]
    stages.runners[1].run(prepared, silent, wait_seconds=0)
    assert len(spans) == 1
    monkeypatch.setattr(stage_runners, "prepare_clip", lambda *_: None)
    prepared = stages.runners[0].run(job, silent, wait_seconds=0)
    assert len(spans) == 1 and len(prepared.content) < 100
    assert isinstance(stages.runners[1].run(prepared, silent, wait_seconds=0), StagedJob)
    assert spans[1:] == [(0, 20)]


def test_an_error_of_any_stage_is_recorded(job, bundled, tmp_path, monkeypatch) -> None:
    stages = Stages(bundled, config_of(tmp_path / "out"))
    missing = Job(tmp_path / "missing.mp4", "missing")
    assert "missing.mp4: no such file" in (stages.run(missing).error or "")
    wrong = replace(job, class_ids=("groww",))
    assert "did you mean grow" in (stages.run(wrong).error or "")
    explained = stages.explained(job)

    def fail(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as broken:
        broken.setattr(runner_module, "process_clip", fail)
        record = stages.run(explained, first=2)
    assert (record.status, record.error) == (FAILED, f"{job.clip}: OSError: no room")
    assert not (tmp_path / "out" / "v").exists()
    assert stages.run(explained, first=2).status == DONE  # without explaining it again


def test_a_clip_that_was_drawn_meanwhile_is_done(job, bundled, tmp_path, monkeypatch) -> None:
    """By a process that died before it could say so, or by another run: it is not drawn again."""
    stages = Stages(bundled, config_of(tmp_path / "out"))
    explained = stages.explained(job)
    assert stages.run(job).status == DONE
    monkeypatch.setattr(runner_module, "process_clip", None)
    assert stages.run(explained, first=2).status == DONE
