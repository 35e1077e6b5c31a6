"""Clips on this machine: in a worker process that is replaced when it fails, or a single clip here.

A worker that hangs or dies costs one clip, not the run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace

from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.run_config import RunConfig
from video_cam.batch.stage import WHOLE_CLIPS, Stage, StagedJob, Task, job_of, seconds_before
from video_cam.batch.store import ClipBusy, open_store
from video_cam.batch.worker import Worker, WorkerDied, WorkerTimedOut
from video_cam.errors import UsageError, VideoCamError
from video_cam.utils.garbage import start_up_uncollected
from video_cam.utils.reporter import Reporter

WAIT_SECONDS = 5.0  # for another run that is processing a clip
ATTEMPTS = 2  # where a worker dies: the first time may have had a cause outside of it


def run_local(jobs: Sequence[Job], config: RunConfig, reporter: Reporter) -> Iterator[ClipRecord]:
    """Run jobs one after another in a worker process.

    Returns:
        Their records as they are finished. Clips that another run is processing come last.

    Raises:
        UsageError: where the network cannot be loaded, or an option does not fit it.
    """
    with closing(SupervisedWorker(config, reporter)) as worker:
        # A job, and how long it may wait for another run: not at all the first time.
        waiting: deque[tuple[Job, float]] = deque((job, 0.0) for job in jobs)
        while waiting:
            job, wait_seconds = waiting.popleft()
            record = worker.attempt(job, wait_seconds)
            if isinstance(record, ClipRecord):
                yield record
                continue
            if not wait_seconds:
                reporter.info(f"{job.clip}: another run is processing it; continuing with the rest")
            waiting.append((job, WAIT_SECONDS))


def run_in_this_process(
    job: Job, config: RunConfig, reporter: Reporter, *, raise_errors: bool = False
) -> ClipRecord:
    """Run a single job without a worker process.

    Args:
        raise_errors: raise what the job raises instead of returning a failed record.

    Raises:
        UsageError: for options that do not fit the network or the clip.
    """
    try:
        with start_up_uncollected():
            from video_cam.batch.network import load_explainer
            from video_cam.batch.runner import ClipRunner

            explainer, config = load_explainer(config, reporter)
        runner = ClipRunner(config, explainer)
        try:
            return runner.run_or_raise(job, reporter.progress)
        except ClipBusy:
            reporter.info(f"{job.clip}: another run is processing it; waiting for it to end")
            return runner.run_or_raise(job, reporter.progress, wait_seconds=-1)
    except VideoCamError as error:
        if raise_errors or isinstance(error, UsageError):
            raise
        return failed_record(job, str(error))
    except Exception as error:  # an unknown network or file may raise anything
        if raise_errors:
            raise
        return failed_record(job, f"{type(error).__name__}: {error} (--debug shows where)")


class SupervisedWorker:
    """A worker process; jobs on which it hangs or dies become records of failed clips."""

    def __init__(self, config: RunConfig, reporter: Reporter, stage: Stage = WHOLE_CLIPS) -> None:
        """Start the process.

        Raises:
            UsageError: where the network cannot be loaded, or an option does not fit it.
            VideoCamError: where the process dies while it loads the network, each time.
        """
        self._time_limit = config.time_limit
        self._store = open_store(config.output_dir)
        self._worker = Worker(config, reporter, stage)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._worker.start()
                return
            except WorkerDied as error:
                if attempt == ATTEMPTS:
                    raise VideoCamError(
                        f"the network could not be loaded: {error}, {ATTEMPTS} times"
                    ) from error

    def finish(self, task: Task) -> StagedJob | ClipRecord:
        """Run a job, after another run that is processing the clip."""
        answer = None
        while answer is None:
            answer = self.attempt(task, WAIT_SECONDS)
        return answer

    def attempt(self, task: Task, wait_seconds: float) -> StagedJob | ClipRecord | None:
        """Run a job.

        Args:
            task: a job, or what the stage before has made of it.
            wait_seconds: how long to wait for another run that is processing the clip.

        Returns:
            The job for the next stage, or its record; None where another run is processing the
            clip all that time.
        """
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

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _remove_remains(self) -> None:
        """Remove what a killed worker left."""
        with suppress(OSError, VideoCamError):
            self._store.prepare()
