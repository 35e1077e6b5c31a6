"""Clips on this machine: in worker processes, which are replaced where they fail, or one here.

A worker that hangs or dies costs one clip, not the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing

from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.local_stages import leaves_cores_idle, run_in_stages
from video_cam.batch.run_config import RunConfig
from video_cam.batch.store import ClipBusy
from video_cam.batch.supervision import WAIT_SECONDS, SupervisedWorker, busy_message
from video_cam.errors import UsageError, VideoCamError
from video_cam.utils.garbage import start_up_uncollected
from video_cam.utils.reporter import Reporter


def run_local(jobs: Sequence[Job], config: RunConfig, reporter: Reporter) -> Iterator[ClipRecord]:
    """Run jobs in a worker process; where its network is on a GPU, others read and draw for it.

    Returns:
        Their records as they are finished. Clips that another run is processing come last.

    Raises:
        UsageError: where the network cannot be loaded, or an option does not fit it.
    """
    with closing(SupervisedWorker(config, reporter)) as worker:
        network = worker.start()
        if network is not None and len(jobs) > 1 and leaves_cores_idle(network.place):
            yield from run_in_stages(worker, network, jobs, config, reporter)
        else:
            yield from _one_after_another(worker, jobs, reporter)


def _one_after_another(
    worker: SupervisedWorker, jobs: Sequence[Job], reporter: Reporter
) -> Iterator[ClipRecord]:
    # A job, and how long it may wait for another run: not at all the first time.
    waiting: deque[tuple[Job, float]] = deque((job, 0.0) for job in jobs)
    while waiting:
        job, wait_seconds = waiting.popleft()
        record = worker.attempt(job, wait_seconds)
        if isinstance(record, ClipRecord):
            yield record
            continue
        if not wait_seconds:
            reporter.info(busy_message(job))
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
