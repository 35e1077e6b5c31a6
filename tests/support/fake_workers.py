"""Workers without processes for tests of a run's stages: a clip's name says what happens to it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.support.reporting import RecordingReporter
from video_cam.batch.jobs import DONE, FAILED, ClipRecord, Job
from video_cam.batch.run_config import RunConfig
from video_cam.batch.stage import LoadedNetwork, StagedJob, Task, job_of, seconds_before
from video_cam.batch.worker import WorkerDied, WorkerStopped, WorkerTimedOut

READ, EXPLAIN, DRAW, WHOLE = "read", "explain", "draw", "whole"


class Fakes:
    """Workers in place of those with processes; a clip's name says what happens to it.

    "dies drawing" and "hangs reading" do that in this stage, whenever it is tried. "dies once
    explaining" does that the first time.

    Attributes:
        place: where the network runs.
        log: (stage, name of the clip), as they end or fail.
        ended: workers that were closed.
        before: called with a stage and the job in the worker's thread.
    """

    def __init__(self) -> None:
        self.place = "cuda:0"
        self.log: list[tuple[str, str]] = []
        self.started: list[FakeWorker] = []
        self.ended: list[FakeWorker] = []
        self.before: Callable[[str, Job], None] = lambda stage, job: None
        self.is_stopped, self.is_killed = threading.Event(), threading.Event()
        self._asked: list[str] = []
        self._lock = threading.Lock()

    def make(self, config: RunConfig, reporter: RecordingReporter, facts: bytes) -> FakeWorker:
        return FakeWorker(self, reporter, facts)

    def is_first(self, stage: str) -> bool:
        """Whether nobody has asked that before."""
        with self._lock:
            self._asked.append(stage)
            return self._asked.count(stage) == 1

    def count(self, stage: str) -> int:
        return [name for name, _ in self.log].count(stage)


class FakeWorker:
    """In place of a Worker."""

    network = None

    def __init__(self, fakes: Fakes, reporter: RecordingReporter, facts: bytes) -> None:
        self.fakes, self.reporter, self.facts = fakes, reporter, facts

    def start(self) -> None:
        self.fakes.started.append(self)
        if not self.facts:
            self.reporter.info("model of the test")
            self.network = LoadedNetwork(self.fakes.place, b"facts")

    def run(
        self, task: Task, *, wait_seconds: float, time_limit: float | None
    ) -> StagedJob | ClipRecord:
        if self.fakes.is_stopped.is_set():
            raise WorkerStopped
        job, first = job_of(task), isinstance(task, Job)
        stage = (READ if first else DRAW) if self.facts else (WHOLE if first else EXPLAIN)
        self.reporter.warning(f"{job.name} {stage} begins")
        with self.reporter.progress(stage, 1) as step:
            self.fakes.before(stage, job)
            step(1)
        is_new = (stage, job.name) not in self.fakes.log
        self.fakes.log.append((stage, job.name))
        if f"dies {stage}" in job.name or (is_new and f"dies once {stage}" in job.name):
            raise WorkerDied("the worker process was ended by SIGSEGV")
        if f"hangs {stage}" in job.name:
            assert time_limit == 7
            raise WorkerTimedOut(f"given up after {time_limit:g} s")
        if stage in (READ, EXPLAIN) and f"fails {stage}" not in job.name:
            return StagedJob(job, "digest", seconds_before(task) + 10, b"")
        return ClipRecord(str(job.clip), job.name, FAILED if "fails" in job.name else DONE)

    def stop(self, *, at_once: bool = False) -> None:
        (self.fakes.is_killed if at_once else self.fakes.is_stopped).set()

    def close(self) -> None:
        self.fakes.ended.append(self)
