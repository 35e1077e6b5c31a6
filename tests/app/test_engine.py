"""One explanation at a time; waiting, cancelling, and what a later one finds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from video_cam.app import engine as engine_module
from video_cam.app.engine import Cancelled, Engine, Task
from video_cam.batch.jobs import FAILED, ClipRecord
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.batch.worker import WorkerDied, WorkerStopped
from video_cam.errors import VideoCamError

SECONDS = 30


class HeldWorker:
    """In the place of a worker process: a clip is explained when the test lets it.

    Attributes:
        made: all workers, in the order in which they were made.
        running: the clips that are being explained at this moment.
    """

    made: list[HeldWorker]
    running: list[str]

    def __init__(self, config: RunConfig, reporter: Any) -> None:
        self.config, self.reporter = config, reporter
        self.go_on, self.began = threading.Event(), threading.Event()
        self.is_stopped = self.is_closed = False
        HeldWorker.made.append(self)

    def start(self) -> None:
        self.reporter.info(f"model {self.config.model.name}")

    def run(self, job: Any, **_: Any) -> ClipRecord:
        HeldWorker.running.append(job.clip.name)
        with self.reporter.progress("explain", 4) as step:
            step(3)
            self.began.set()
            assert self.go_on.wait(SECONDS)
        HeldWorker.running.remove(job.clip.name)
        if self.is_stopped:
            raise WorkerStopped
        if job.clip.name == "dies.mp4":
            raise WorkerDied("the worker process was ended by SIGSEGV")
        return ClipRecord(str(job.clip), None, FAILED, error=f"{job.clip}: not a video")

    def stop(self) -> None:
        self.is_stopped = True
        self.go_on.set()

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    HeldWorker.made, HeldWorker.running = [], []
    monkeypatch.setattr(engine_module, "Worker", HeldWorker)
    made = Engine()
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return RunConfig(ModelConfig("motion3d"), output_dir=str(tmp_path))


def running_worker(task: Task) -> HeldWorker:
    while not HeldWorker.made:
        assert not wait([task.future], timeout=0.01).done
    assert HeldWorker.made[-1].began.wait(SECONDS)
    return HeldWorker.made[-1]


def error_of(task: Task) -> BaseException:
    error = task.future.exception(SECONDS)
    assert error is not None
    return error


def test_clips_are_explained_one_after_another_in_one_process(
    engine: Engine, config: RunConfig
) -> None:
    tasks = [engine.submit(Path(f"/uploads/{name}.mp4"), config) for name in "abc"]
    worker = running_worker(tasks[0])
    assert HeldWorker.running == ["a.mp4"]
    assert [engine.position(task) for task in tasks] == [0, 1, 2]
    assert engine.stage is not None and (engine.stage.done, engine.stage.total) == (3, 4)
    worker.go_on.set()
    assert [str(error_of(task)) for task in tasks] == [f"{n}.mp4: not a video" for n in "abc"]
    assert HeldWorker.made == [worker] and not worker.is_closed


def test_other_options_take_another_process(engine: Engine, config: RunConfig) -> None:
    first = engine.submit(Path("/uploads/a.mp4"), config)
    running_worker(first).go_on.set()
    error_of(first)
    other = RunConfig(ModelConfig("texture3d"), output_dir=config.output_dir)
    second = engine.submit(Path("/uploads/a.mp4"), other)
    while len(HeldWorker.made) < 2:
        assert not wait([second.future], timeout=0.01).done
    assert HeldWorker.made[0].is_closed
    HeldWorker.made[1].go_on.set()
    error_of(second)


def test_what_waits_is_cancelled_at_once_and_what_runs_by_its_process(
    engine: Engine, config: RunConfig
) -> None:
    running, waiting, last = [
        engine.submit(Path(f"/uploads/{name}.mp4"), config) for name in ("a", "b", "c")
    ]
    worker = running_worker(running)
    engine.cancel(waiting)
    assert isinstance(waiting.future.exception(0), Cancelled)
    assert engine.position(last) == 1 and not worker.is_stopped
    engine.cancel(running)
    assert isinstance(error_of(running), Cancelled) and worker.is_stopped
    while len(HeldWorker.made) < 2:
        assert not wait([last.future], timeout=0.01).done
    HeldWorker.made[1].go_on.set()
    assert str(error_of(last)) == "c.mp4: not a video"
    engine.cancel(running)  # nothing, as it has ended
    assert not HeldWorker.made[1].is_stopped


def test_a_cancel_after_the_last_step_does_not_stop_the_next_clip(
    engine: Engine, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = engine.submit(Path("/uploads/a.mp4"), config)
    worker = running_worker(first)
    # The process has answered already when it is stopped.
    monkeypatch.setattr(worker, "stop", worker.go_on.set)
    engine.cancel(first)
    error_of(first)
    second = engine.submit(Path("/uploads/b.mp4"), config)
    while len(HeldWorker.made) < 2:
        assert not wait([second.future], timeout=0.01).done
    assert worker.is_closed
    HeldWorker.made[1].go_on.set()
    assert not isinstance(error_of(second), Cancelled)


def test_a_process_that_dies_is_told_in_one_line(engine: Engine, config: RunConfig) -> None:
    task = engine.submit(Path("/uploads/dies.mp4"), config)
    running_worker(task).go_on.set()
    error = error_of(task)
    assert type(error) is VideoCamError
    assert str(error) == "the worker process was ended by SIGSEGV"


def test_closing_gives_up_everything(engine: Engine, config: RunConfig) -> None:
    tasks = [engine.submit(Path(f"/uploads/{name}.mp4"), config) for name in "ab"]
    worker = running_worker(tasks[0])
    engine.close()
    assert all(isinstance(error_of(task), Cancelled) for task in tasks)
    assert worker.is_stopped and worker.is_closed and HeldWorker.made == [worker]
