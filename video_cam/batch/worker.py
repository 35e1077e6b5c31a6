"""A worker process: a decoder may hang or crash there, and the run continues."""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from video_cam.batch.jobs import ClipRecord
from video_cam.batch.logs import set_up_logging
from video_cam.batch.messages import Forwarder, SendingReporter
from video_cam.batch.run_config import RunConfig
from video_cam.batch.stage import LoadedNetwork, StagedJob, Task, seconds_before
from video_cam.batch.store import ClipBusy
from video_cam.errors import VideoCamError
from video_cam.utils.allocator import keep_freed_memory
from video_cam.utils.garbage import leave_out_start_up, start_up_uncollected
from video_cam.utils.interrupts import (
    SECONDS_TO_CLEAN_UP,
    handle_interrupts,
    interrupts_held_back,
)
from video_cam.utils.reporter import Reporter

# A clip may take hours, but no single step of it takes this long.
MAX_SECONDS_BETWEEN_MESSAGES = 900


class WorkerDied(Exception):
    """The process ended by itself; the message says how."""


class WorkerTimedOut(Exception):
    """The process was killed because it took too long; the message says how long."""


class WorkerStopped(Exception):
    """The process ended because ``Worker.stop`` was called."""


class Worker:
    """A process that runs clips or stages of them. Start it, run jobs in it, close it.

    Attributes:
        reporter: receives messages and progress; may be replaced between two jobs.
        network: what the process says of its network; None before it has started, and for a process
            without one.
    """

    def __init__(self, config: RunConfig, reporter: Reporter, facts: bytes = b"") -> None:
        """Remember the settings.

        Args:
            facts: as in ``LoadedNetwork``, for a process that reads and draws for a network; empty
                for a process with the network.
        """
        self.reporter = reporter
        self.network: LoadedNetwork | None = None
        self._config, self._facts = config, facts
        self._process: Any = None
        self._is_stopped = False

    def start(self) -> None:
        """Start a process and wait until it has loaded the network, where it needs it.

        Raises:
            VideoCamError: what loading the network raises.
            WorkerDied: where the process ends before that.
            WorkerStopped: after ``stop``.
        """
        if self._is_stopped:
            raise WorkerStopped
        # A fresh interpreter: a fork would share locks and the state of CUDA with this process.
        context = multiprocessing.get_context("spawn")
        self._connection, other_end = context.Pipe()
        arguments = (other_end, self._config, self._facts)
        process = context.Process(target=_run_worker, args=arguments, daemon=True)
        with interrupts_held_back():  # the process handles them when Python has started
            process.start()
            self._process = process
        other_end.close()
        if self._is_stopped:  # before there was a process to interrupt
            self.stop()
        self.network = self._receive_answer(math.inf, None)  # a download may be slow

    def run(
        self, task: Task, *, wait_seconds: float, time_limit: float | None
    ) -> StagedJob | ClipRecord | None:
        """Run a job; starts a new process where the last one was killed or died.

        Args:
            task: a job, or what the stage before has made of it.
            wait_seconds: how long to wait for another run that is processing the clip.
            time_limit: in seconds, of all stages; None for none as long as there is progress.

        Returns:
            The job for the next stage, or its record; None where another run is processing the
            clip all that time.

        Raises:
            WorkerDied: where the process ends during the job.
            WorkerTimedOut: where it was killed for the time limit or for lack of progress.
            WorkerStopped: after ``stop``.
        """
        if self._process is None:
            self.start()
        try:
            self._connection.send((task, wait_seconds))
        except OSError as error:
            raise self._died() from error
        answer: StagedJob | ClipRecord | None = self._receive_answer(
            MAX_SECONDS_BETWEEN_MESSAGES, time_limit, seconds_before(task)
        )
        return answer

    def stop(self, *, at_once: bool = False) -> None:
        """End the process from another thread, for good: what it does is given up.

        ``start`` and ``run`` raise WorkerStopped when it has ended, and from then on.

        Args:
            at_once: give it no time to clean up.
        """
        self._is_stopped = True
        process = self._process
        if process is not None:
            (process.kill if at_once else process.terminate)()

    def close(self) -> None:
        """End the process: at once if it is idle, else after some seconds for cleaning up."""
        if self._process is None:
            return
        self._connection.close()
        self._process.join(SECONDS_TO_CLEAN_UP)
        self._kill()

    def _receive_answer(
        self, max_silence: float, time_limit: float | None, seconds_before: float = 0.0
    ) -> Any:
        """The answer of the process; its messages until then go to the reporter.

        Args:
            max_silence: in seconds, from one message to the next.
            seconds_before: that count towards the time limit.
        """
        last_message = time.monotonic()
        began = last_message - seconds_before
        with Forwarder(self.reporter) as forwarder:
            while True:
                deadline = min(last_message + max_silence, began + (time_limit or math.inf))
                left = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
                if not self._connection.poll(left):
                    self._kill()
                    raise WorkerTimedOut(_timeout_message(time.monotonic() - began, time_limit))
                last_message = time.monotonic()
                try:
                    message = self._connection.recv()
                except (EOFError, OSError) as error:
                    raise self._died() from error
                match message:
                    case "answer", content:
                        return content
                    case "failure", error:
                        self.close()
                        raise error
                forwarder.forward(message)

    def _died(self) -> WorkerDied | WorkerStopped:
        self._process.join(SECONDS_TO_CLEAN_UP)
        code = self._process.exitcode
        self._kill()
        if self._is_stopped:
            return WorkerStopped()
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            cause = ", perhaps because memory ran out" if name == "SIGKILL" else ""
            return WorkerDied(f"the worker process was ended by {name}{cause}")
        return WorkerDied(f"the worker process ended with status {code}")

    def _kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()
        self._process = None


def _timeout_message(seconds: float, time_limit: float | None) -> str:
    if time_limit is not None and seconds >= time_limit:
        return f"given up after {time_limit:g} s: raise --time-limit for more"
    return f"given up after {MAX_SECONDS_BETWEEN_MESSAGES} s without progress"


def _run_worker(connection: Connection, config: RunConfig, facts: bytes) -> None:
    """The process: load what it needs, then run jobs until the other end is closed."""
    # The other end is closed, or the user interrupts: contexts remove what is unfinished.
    with suppress(EOFError, OSError, KeyboardInterrupt):
        handle_interrupts()
        keep_freed_memory()
        leave_out_start_up()
        set_up_logging(config.log_level)
        _run_jobs(connection, config, facts)


def _run_jobs(connection: Connection, config: RunConfig, facts: bytes) -> None:
    reporter = SendingReporter(connection.send)
    try:
        with start_up_uncollected():
            from video_cam.batch.stage_runners import runner_of

            runner, network = runner_of(config, facts, reporter)
    except VideoCamError as error:
        connection.send(("failure", error))
        return
    connection.send(("answer", network))
    while True:
        task, wait_seconds = connection.recv()
        try:
            answer = runner.run(task, reporter.progress, wait_seconds=wait_seconds)
        except ClipBusy:
            answer = None
        connection.send(("answer", answer))
