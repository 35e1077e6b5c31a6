"""Clips in stages on this machine: processors read and draw for the one process with the network.

A GPU explains a clip in a fraction of the time that a core takes to draw it. So one process has the
network and does nothing but explain, and processors, which have none, do the rest of other clips
meanwhile. A clip is carried from stage to stage by a thread of this process, which waits for a
process that is free. There are few carriers, so few clips are between two stages: that bounds the
memory that they take, and what is lost when the run is interrupted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import Any, cast

from video_cam.batch.claims import reserved
from video_cam.batch.inputs import long_name
from video_cam.batch.jobs import ClipRecord, Job, failed_record
from video_cam.batch.messages import Forwarder, SendingReporter
from video_cam.batch.processor_pool import ProcessorPool
from video_cam.batch.run_config import RunConfig
from video_cam.batch.stage import LoadedNetwork, StagedJob
from video_cam.batch.store import ClipBusy, open_store
from video_cam.batch.supervision import WAIT_SECONDS, SupervisedWorker, busy_message
from video_cam.batch.worker import WorkerStopped
from video_cam.errors import VideoCamError
from video_cam.utils.available_memory import available_bytes
from video_cam.utils.cores import usable_cores
from video_cam.utils.interrupts import SECONDS_TO_CLEAN_UP
from video_cam.utils.progress import Step
from video_cam.utils.reporter import Reporter

# Clips beyond those that processors work on: one is explained, the others wait for a process.
CLIPS_BETWEEN = 4
# Clips that are read, wait for the network or are explained: their frames may take 128 MB each.
MAX_CLIPS_WITH_FRAMES = 8
# 0.6 GiB for PyTorch and the like; 0.8 GiB to draw 1920x1080, as video/memory.py estimates it.
BYTES_OF_A_PROCESSOR = 3 * 2**29


def leaves_cores_idle(place: str) -> bool:
    """Whether the cores have nothing to do while a network runs there.

    Args:
        place: as in ``LoadedNetwork``.
    """
    return "cuda" in place.lower()


def most_processors(config: RunConfig, num_clips: int) -> int:
    """How many processors there are at most: as asked for, or as cores and memory allow."""
    if config.ray.cpu_actors is not None:
        most = config.ray.cpu_actors[1]
    else:
        # One core is left to the process with the network.
        most = min(usable_cores() - 1, available_bytes() // BYTES_OF_A_PROCESSOR)
    return max(min(most, num_clips), 1)


def run_in_stages(
    network: SupervisedWorker,
    loaded: LoadedNetwork,
    jobs: Sequence[Job],
    config: RunConfig,
    reporter: Reporter,
) -> Iterator[ClipRecord]:
    """Run jobs with a network that is loaded, and with processors.

    Returns:
        The jobs' records as they are finished. Clips that another run is processing come last.

    Raises:
        UsageError: where the network has to be loaded again and cannot be.
        VideoCamError: where a process cannot be started.
    """
    count = most_processors(config, len(jobs))
    reporter.info(
        f"{len(jobs)} clips: the network on {loaded.place}; "
        f"{f'up to {count} processes read and draw' if count > 1 else '1 process reads and draws'} "
        "for it"
    )
    sent: SimpleQueue[Any] = SimpleQueue()
    network.report_to(SendingReporter(sent.put))
    processors = [
        SupervisedWorker(config, _MessagesOnly(sent.put), loaded.facts) for _ in range(count)
    ]
    carriers = _Carriers(network, processors, jobs, config, sent)
    try:
        carriers.start()
        # All messages pass through this thread, so those of two processes are never mixed.
        with Forwarder(reporter) as forwarder:
            num_left = len(jobs)
            while num_left:
                match sent.get():
                    case ClipRecord() as record:
                        num_left -= 1
                        yield record
                    case BaseException() as error:
                        raise error
                    case message:
                        forwarder.forward(message)
    finally:
        carriers.close()


class _MessagesOnly(SendingReporter):
    """Sends no progress: bars of several clips at a time would hide each other."""

    @contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Step]:
        """A context whose steps are not shown."""
        yield lambda count: None


class _Carriers:
    """Threads that each carry one clip at a time through its stages."""

    def __init__(
        self,
        network: SupervisedWorker,
        processors: Sequence[SupervisedWorker],
        jobs: Sequence[Job],
        config: RunConfig,
        sent: SimpleQueue[Any],
    ) -> None:
        """Prepare the threads.

        Args:
            network: the process that explains.
            processors: those that read and draw; each is started when none of the others is free.
            sent: gets the record of each job, messages for a Forwarder, and the error that ends the
                run.
        """
        self._network, self._processors, self._sent = network, processors, sent
        self._store = open_store(config.output_dir)
        # A job, and how long it may wait for another run: not at all the first time.
        self._waiting: deque[tuple[Job, float]] = deque((job, 0.0) for job in jobs)
        self._in_work: list[str] = []  # long names of clips
        self._pool = ProcessorPool(processors)
        self._frames_allowed = threading.Semaphore(MAX_CLIPS_WITH_FRAMES)
        self._network_is_free = threading.Lock()
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._carry, name="carrier", daemon=True)
            for _ in range(min(len(processors) + CLIPS_BETWEEN, len(jobs)))
        ]

    def start(self) -> None:
        """Begin with the first clips."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Interrupt what is not finished, and end threads and processes."""
        self._is_closed = True
        workers = [self._network, *self._processors]
        for worker in workers:
            worker.stop()
        deadline = time.monotonic() + SECONDS_TO_CLEAN_UP
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for worker in workers:  # a decoder that hangs does not react to an interrupt
            worker.stop(at_once=True)
        for thread in self._threads:
            thread.join()
        for worker in workers:
            worker.close()

    def _carry(self) -> None:
        """Carry clips until none is left."""
        try:
            while not self._is_closed and (taken := self._next()):
                job, wait_seconds = taken
                record = self._attempt(job, wait_seconds)
                if record is None:
                    self._waiting.append((job, WAIT_SECONDS))
                else:
                    self._sent.put(record)
        except WorkerStopped:
            pass
        except BaseException as error:  # whatever it is, the run must not wait for this thread
            self._sent.put(error)

    def _next(self) -> tuple[Job, float] | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _attempt(self, job: Job, wait_seconds: float) -> ClipRecord | None:
        """A clip's record; None where another run is processing it all that time."""
        own_name = long_name(job.clip)
        with ExitStack() as stack:
            self._in_work.append(own_name)
            stack.callback(self._in_work.remove, own_name)
            try:
                # Processes claim a clip in turn; between them, this keeps other runs from it.
                job = stack.enter_context(reserved(self._store, job, wait_seconds))
            except ClipBusy:
                is_listed_twice = self._in_work.count(own_name) > 1
                if not wait_seconds and not is_listed_twice:
                    SendingReporter(self._sent.put).info(busy_message(job))
                return None
            except VideoCamError as error:
                return failed_record(job, str(error))
            return self._in_stages(job)

    def _in_stages(self, job: Job) -> ClipRecord:
        with self._frames_allowed:
            with self._pool.reader() as processor:
                task = processor.finish(job)
            if isinstance(task, StagedJob):
                with self._network_is_free:
                    task = self._network.finish(task)
        if isinstance(task, StagedJob):
            with self._pool.drawer() as processor:
                task = processor.finish(task)
        return cast(ClipRecord, task)  # drawing gives nothing else
