"""Clips one after another on this machine, by a worker that is replaced when it hangs or dies."""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

from video_cam.batch.jobs import Job, Row, failed_row
from video_cam.batch.store import Busy, open_store
from video_cam.batch.worker import Worker, WorkerDied, WorkerHangs
from video_cam.cli.console import Console
from video_cam.errors import VideoCamError

WAIT_SECONDS = 5.0
ATTEMPTS = 2  # for a clip whose worker dies: the first death may have had another reason


def run_local(jobs: Sequence[Job], parsed: argparse.Namespace, console: Console) -> Iterator[Row]:
    """The rows of all jobs as they are done.

    Clips that another run is at work on come last, when it is through with them. Raises UsageError
    where the network cannot be loaded.
    """
    with closing(LocalRun(parsed, console)) as run:
        # A job and how long it may wait for another run; nothing the first time.
        waiting: deque[tuple[Job, float]] = deque((job, 0.0) for job in jobs)
        while waiting:
            job, wait_seconds = waiting.popleft()
            row = run.attempt(job, wait_seconds)
            if row is not None:
                yield row
                continue
            if not wait_seconds:
                console.say(f"{job.clip}: another run is at work on it; going on with the rest")
            waiting.append((job, WAIT_SECONDS))


class LocalRun:
    """A worker, and what is done when it fails."""

    def __init__(self, parsed: argparse.Namespace, console: Console) -> None:
        self._limit: float | None = parsed.time_limit
        self._store = open_store(parsed.output_dir)
        self._worker = Worker(parsed, console)
        try:
            self._worker.start()
        except WorkerDied as error:
            raise VideoCamError(f"the network could not be loaded: {error}") from error

    def finish(self, job: Job) -> Row:
        """The job's row, however long another run is at work on the clip."""
        row = None
        while row is None:
            row = self.attempt(job, WAIT_SECONDS)
        return row

    def attempt(self, job: Job, wait_seconds: float) -> Row | None:
        """The job's row; None if another run is at work on the clip all that time."""
        reason = ""
        for _ in range(ATTEMPTS):
            began = time.monotonic()
            try:
                return self._worker.run(job, wait_seconds=wait_seconds, limit_seconds=self._limit)
            except WorkerHangs as error:
                self._clear(job)
                return failed_row(job, str(error), time.monotonic() - began)
            except WorkerDied as error:
                self._clear(job)
                reason = str(error)
        return failed_row(job, f"{reason}, {ATTEMPTS} times")

    def _clear(self, job: Job) -> None:
        """Remove what a worker that was killed has left; whoever claims a clip does."""
        with suppress(Busy, OSError, VideoCamError), self._store.claim(job.name, 0):
            pass

    def close(self) -> None:
        """End the worker."""
        self._worker.close()
