"""The worker process: its messages, its time limit, its end. Here without a network."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.support.reporting import RecordingReporter
from video_cam import UsageError
from video_cam.batch import worker as worker_module
from video_cam.batch.jobs import ClipRecord, Job
from video_cam.batch.messages import SendingReporter
from video_cam.batch.run_config import RunConfig
from video_cam.batch.stage import StagedJob
from video_cam.batch.worker import (
    Worker,
    WorkerDied,
    WorkerStopped,
    WorkerTimedOut,
)

JOB = Job(Path("a.mp4"), "a")
RECORD = ClipRecord("a.mp4", "a", "done")
ENDED = "the worker process was ended"


class FakeProcess:
    """The place of the process: a thread has its end of the pipe."""

    def __init__(self, exitcode: int | None = None) -> None:
        self.exitcode = exitcode
        self.is_killed = False

    def join(self, timeout: float | None = None) -> None:
        pass

    def kill(self) -> None:
        self.is_killed = True


class FakeWorker(Worker):
    """A worker whose process runs ``behave`` in a thread, on its end of the pipe."""

    def __init__(
        self,
        behave: Callable[[Connection], object],
        reporter: RecordingReporter,
        exitcode: int | None = None,
    ) -> None:
        super().__init__(RunConfig(), reporter)
        self.behave, self.exitcode = behave, exitcode
        self.processes: list[FakeProcess] = []

    def start(self) -> None:
        self._connection, self.other_end = multiprocessing.get_context("spawn").Pipe()
        self._process = FakeProcess(self.exitcode)
        self.processes.append(self._process)
        threading.Thread(target=self.behave, args=(self.other_end,), daemon=True).start()
        self._receive_answer(math.inf, None)


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


def run(worker: Worker, time_limit: float | None = None) -> StagedJob | ClipRecord | None:
    return worker.run(JOB, wait_seconds=0, time_limit=time_limit)


def test_messages_and_progress_arrive_before_the_record(reporter) -> None:
    received = []

    def behave(connection: Connection) -> None:
        pipe = SendingReporter(connection.send)
        pipe.info("loading")
        connection.send(("answer", None))
        received.append(connection.recv())
        pipe.warning("slow")
        pipe.error("bad")
        pipe.event("clip", clip="a.mp4")
        with pipe.progress("explain", 1000) as explained, pipe.progress("render", 3) as rendered:
            for _ in range(1000):
                explained(1)
            rendered(3)
        connection.send(("answer", RECORD))

    assert run(FakeWorker(behave, reporter)) == RECORD
    assert received == [(JOB, 0)]
    assert reporter.messages == [("info", "loading"), ("warning", "slow"), ("error", "bad")]
    assert reporter.events == [("clip", {"clip": "a.mp4"})]
    assert reporter.stages == {"explain": [1000, 1000], "render": [3, 3]}


def test_steps_are_sent_in_groups() -> None:
    here, there = multiprocessing.get_context("spawn").Pipe()

    def send() -> None:
        with SendingReporter(there.send).progress("render", 10_000) as step:
            for _ in range(10_000):
                step(1)

    thread = threading.Thread(target=send)
    thread.start()
    messages = [here.recv()]
    while messages[-1][0] != "stage_end":
        messages.append(here.recv())
    thread.join()
    assert messages[0] == ("stage", (1, "render", 10_000))
    steps = [content[1] for kind, content in messages if kind == "step"]
    assert sum(steps) == 10_000 and len(steps) < 1000


def test_a_network_that_cannot_be_loaded(reporter) -> None:
    def behave(connection: Connection) -> None:
        connection.send(("failure", UsageError("unknown model")))

    worker = FakeWorker(behave, reporter)
    with pytest.raises(UsageError, match="unknown model"):
        worker.start()
    assert worker.processes[0].is_killed


def never_answer(connection: Connection) -> None:
    connection.send(("answer", None))
    connection.recv()


def test_a_job_beyond_the_time_limit_is_given_up(reporter) -> None:
    worker = FakeWorker(never_answer, reporter)
    with pytest.raises(WorkerTimedOut, match=r"^given up after 0\.05 s: raise --time-limit"):
        run(worker, time_limit=0.05)
    assert worker.processes[0].is_killed
    with pytest.raises(WorkerTimedOut):  # in a new process
        run(worker, time_limit=0.05)
    assert len(worker.processes) == 2


def test_earlier_stages_count_towards_the_time_limit(reporter) -> None:
    worker = FakeWorker(never_answer, reporter)
    staged = StagedJob(JOB, "digest", 599.95, b"")
    with pytest.raises(WorkerTimedOut, match=r"^given up after 600 s: raise --time-limit"):
        worker.run(staged, wait_seconds=0, time_limit=600)


def test_a_job_without_progress_is_given_up(reporter, monkeypatch) -> None:
    monkeypatch.setattr(worker_module, "MAX_SECONDS_BETWEEN_MESSAGES", 0.05)
    with pytest.raises(WorkerTimedOut, match=r"^given up after 0\.05 s without progress$"):
        run(FakeWorker(never_answer, reporter))


def test_a_job_with_progress_may_take_longer(reporter, monkeypatch) -> None:
    monkeypatch.setattr(worker_module, "MAX_SECONDS_BETWEEN_MESSAGES", 2.0)
    pause = threading.Event()

    def behave(connection: Connection) -> None:
        connection.send(("answer", None))
        connection.recv()
        for _ in range(3):
            pause.wait(0.8)
            SendingReporter(connection.send).info("still here")
        connection.send(("answer", RECORD))

    assert run(FakeWorker(behave, reporter)) == RECORD


@pytest.mark.parametrize(
    ("exitcode", "message"),
    [
        (-signal.SIGSEGV, f"{ENDED} by SIGSEGV"),
        (
            -signal.SIGKILL,
            "the worker process was ended by SIGKILL, perhaps because memory ran out",
        ),
        (3, "the worker process ended with status 3"),
    ],
)
def test_a_process_that_dies_says_how(exitcode: int, message: str, reporter) -> None:
    def behave(connection: Connection) -> None:
        connection.send(("answer", None))
        connection.recv()
        connection.close()

    worker = FakeWorker(behave, reporter, exitcode)
    with pytest.raises(WorkerDied) as caught:
        run(worker)
    assert str(caught.value) == message


def test_an_interrupted_process_ends_in_silence(reporter, monkeypatch, capfd) -> None:
    """Also while Python starts in it; the process that started it reports the interrupt."""
    receive = Worker._receive_answer

    def interrupt_and_receive(worker: Worker, *arguments: Any) -> object:
        for _ in range(2):
            os.kill(worker._process.pid, signal.SIGINT)
        return receive(worker, *arguments)

    monkeypatch.setattr(Worker, "_receive_answer", interrupt_and_receive)
    # A test suite in the background may have been started with interrupts ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(WorkerDied, match="ended with status 0"):
            Worker(RunConfig(), reporter).start()
    finally:
        signal.signal(signal.SIGINT, before)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("before_it_starts", [True, False])
def test_a_stopped_process_ends_and_is_not_called_dead(
    before_it_starts: bool, reporter, monkeypatch
) -> None:
    worker = Worker(RunConfig(), reporter)
    if before_it_starts:
        worker.stop()
    else:
        receive = Worker._receive_answer

        def stop_and_receive(worker: Worker, *arguments: Any) -> object:
            threading.Thread(target=worker.stop).start()
            return receive(worker, *arguments)

        monkeypatch.setattr(Worker, "_receive_answer", stop_and_receive)
    with pytest.raises(WorkerStopped):
        worker.start()
    assert worker._process is None


def test_closing_ends_the_process(reporter) -> None:
    worker = FakeWorker(lambda connection: connection.send(("answer", None)), reporter)
    worker.close()  # not started: nothing to end
    worker.start()
    worker.close()
    assert worker.processes[0].is_killed and worker._connection.closed
