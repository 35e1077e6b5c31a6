"""A worker process that is replaced when it fails: a clip on which it hangs or dies is recorded."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.run_config import RunConfig
from video_cam.batch.stage import LoadedNetwork, StagedJob, Task, job_of, seconds_before
from video_cam.batch.store import open_store
from video_cam.batch.worker import Worker, WorkerDied, WorkerTimedOut
from video_cam.errors import VideoCamError
from video_cam.utils.reporter import Reporter

WAIT_SECONDS = 5.0  # for another run that is processing a clip
ATTEMPTS = 2  # where a worker dies: the first time may have had a cause outside of it


def busy_message(job: Job) -> str:
    """What is said of a clip that is put off."""
    return f"{job.clip}: another run is processing it; continuing with the rest"


class SupervisedWorker:
    """A worker process; jobs on which it hangs or dies become records of failed clips."""

    def __init__(self, config: RunConfig, reporter: Reporter, facts: bytes = b"") -> None:
        """Remember the settings, as those of ``Worker``."""
        self._time_limit = config.time_limit
        self._store = open_store(config.output_dir)
        self._worker = Worker(config, reporter, facts)
        what = "a process that reads and draws could not start"
        self._fault = what if facts else "the network could not be loaded"
        self._is_started = False

    def start(self) -> LoadedNetwork | None:
        """Start the process, before its first job.

        Returns:
            What it says of its network.

        Raises:
            UsageError: where the network cannot be loaded, or an option does not fit it.
            VideoCamError: where the process dies while it loads the network, each time.
            WorkerStopped: after ``stop``.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._worker.start()
                break
            except WorkerDied as error:
                if attempt == ATTEMPTS:
                    raise VideoCamError(f"{self._fault}: {error}, {ATTEMPTS} times") from error
        self._is_started = True
        return self._worker.network

    def report_to(self, reporter: Reporter) -> None:
        """Where messages and progress go from now on."""
        self._worker.reporter = reporter

    def finish(self, task: Task) -> StagedJob | ClipRecord:
        """Run a job, after another run that is processing the clip."""
        answer = None
        while answer is None:
            answer = self.attempt(task, WAIT_SECONDS)
        return answer

    def attempt(self, task: Task, wait_seconds: float) -> StagedJob | ClipRecord | None:
        """Run a job; starts the process where that was not done.

        Args:
            task: a job, or what the stage before has made of it.
            wait_seconds: how long to wait for another run that is processing the clip.

        Returns:
            The job for the next stage, or its record; None where another run is processing the
            clip all that time.

        Raises:
            VideoCamError: as ``start`` does.
            WorkerStopped: after ``stop``.
        """
        if not self._is_started:
            self.start()
        answer = self._attempt(task, wait_seconds)
        if isinstance(answer, ClipRecord):
            seconds = round(answer.seconds + seconds_before(task), 3)
            return replace(answer, seconds=seconds)
        return answer

    def _attempt(self, task: Task, wait_seconds: float) -> StagedJob | ClipRecord | None:
        job, limit, reason = job_of(task), self._time_limit, ""
        for _ in range(ATTEMPTS):
            began = time.monotonic()
            try:
                return self._worker.run(task, wait_seconds=wait_seconds, time_limit=limit)
            except WorkerTimedOut as error:
                self._remove_remains()
                return failed_record(job, str(error), time.monotonic() - began)
            except WorkerDied as error:
                self._remove_remains()
                reason = str(error)
        return failed_record(job, f"{reason}, {ATTEMPTS} times")

    def stop(self, *, at_once: bool = False) -> None:
        """End the process from another thread, for good; see ``Worker.stop``."""
        self._worker.stop(at_once=at_once)

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _remove_remains(self) -> None:
        """Remove what a killed worker left."""
        with suppress(OSError, VideoCamError):
            self._store.prepare()
