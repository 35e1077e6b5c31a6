"""The runner in a process of its own: a decoder may hang or crash there, and the run goes on."""

from __future__ import annotations

import argparse
import math
import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from video_cam.batch.jobs import Job, Row
from video_cam.cli.console import Console
from video_cam.utils.progress import Step

# A clip may take hours, but not be silent for long: nothing the tool does takes this long a step.
STALL_SECONDS = 900
_GRACE_SECONDS = 10
_SECONDS_BETWEEN_STEPS = 0.05


class WorkerDied(Exception):
    """The process ended by itself; the message says how."""


class WorkerHangs(Exception):
    """The process was ended because it took too long; the message says how long."""


class Worker:
    """A process with the network in it. Start it, give it jobs, close it."""

    def __init__(self, parsed: argparse.Namespace, console: Console) -> None:
        self._parsed, self._console = parsed, console
        self._process: Any = None

    def start(self) -> None:
        """Begin a process; it loads the network. Raises what that raises, or WorkerDied."""
        # A fresh interpreter: a copy of this one would share locks and CUDA's state with it.
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._parsed), daemon=True)
        self._process.start()
        other.close()
        self._answer(math.inf, None)  # a download may be slow

    def run(self, job: Job, *, wait_seconds: float, limit_seconds: float | None) -> Row | None:
        """The job's row; None if another run is at work on the clip.

        Raises WorkerDied or WorkerHangs, after which `run` begins a new process.
        """
        if self._process is None:
            self.start()
        try:
            self._connection.send((job, wait_seconds))
        except OSError as error:
            raise self._died() from error
        row: Row | None = self._answer(STALL_SECONDS, limit_seconds)
        return row

    def close(self) -> None:
        """End the process: at once where it waits, else after a moment to clean up."""
        if self._process is None:
            return
        self._connection.close()
        self._process.join(_GRACE_SECONDS)
        self._end()

    def _answer(self, stall_seconds: float, limit_seconds: float | None) -> Any:
        """What the process answers, its messages passed on meanwhile."""
        began = heard = time.monotonic()
        with ExitStack() as stack:
            stages: dict[int, tuple[ExitStack, Step]] = {}
            while True:
                deadline = min(heard + stall_seconds, began + (limit_seconds or math.inf))
                left = None if deadline == math.inf else max(0.0, deadline - time.monotonic())
                if not self._connection.poll(left):
                    self._end()
                    raise WorkerHangs(_too_long(time.monotonic() - began, limit_seconds))
                heard = time.monotonic()
                try:
                    kind, content = self._connection.recv()
                except (EOFError, OSError) as error:
                    raise self._died() from error
                if kind == "answer":
                    return content
                if kind == "error":
                    self.close()
                    raise content
                self._pass_on(kind, content, stack, stages)

    def _pass_on(
        self, kind: str, content: Any, stack: ExitStack, stages: dict[int, tuple[ExitStack, Step]]
    ) -> None:
        if kind == "say":
            self._console.say(content)
        elif kind == "warn":
            self._console.warn(content)
        elif kind == "stage":
            number, stage, total = content
            own = stack.enter_context(ExitStack())
            stages[number] = (own, own.enter_context(self._console.progress(stage, total)))
        elif kind == "step":
            number, count = content
            stages[number][1](count)
        elif kind == "stage_end":
            stages.pop(content)[0].close()

    def _died(self) -> WorkerDied:
        self._process.join(_GRACE_SECONDS)
        code = self._process.exitcode
        self._end()
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            why = ", perhaps for want of memory" if name == "SIGKILL" else ""
            return WorkerDied(f"the process that worked on it was ended by {name}{why}")
        return WorkerDied(f"the process that worked on it ended with status {code}")

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()
        self._process = None


def _too_long(seconds: float, limit_seconds: float | None) -> str:
    if limit_seconds is not None and seconds >= limit_seconds:
        return f"given up after {limit_seconds:g} s: raise --time-limit for more"
    return f"given up after {STALL_SECONDS} s without headway"


class _Messenger:
    """The worker's side of messages and bars."""

    def __init__(self, connection: Connection) -> None:
        self._send = connection.send
        self._stages = 0

    def say(self, message: str) -> None:
        self._send(("say", message))

    def warn(self, message: str) -> None:
        self._send(("warn", message))

    @contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Step]:
        """Steps are gathered for a moment: thousands of messages would cost more than frames."""
        self._stages += 1
        number, waiting, told = self._stages, 0, 0.0
        self._send(("stage", (number, stage, total)))

        def step(count: int) -> None:
            nonlocal waiting, told
            waiting += count
            if time.monotonic() - told >= _SECONDS_BETWEEN_STEPS:
                self._send(("step", (number, waiting)))
                waiting, told = 0, time.monotonic()

        try:
            yield step
            self._send(("step", (number, waiting)))
        finally:
            self._send(("stage_end", number))


def _serve(connection: Connection, parsed: argparse.Namespace) -> None:
    """The process: load the network, then do jobs until the other side closes."""
    from video_cam.cli.console import set_up_logging
    from video_cam.utils.allocator import keep_freed_memory

    keep_freed_memory()
    set_up_logging(parsed.log_level)
    messenger = _Messenger(connection)
    # The other side has gone, or the user wants us gone: nothing half-done stays.
    with suppress(EOFError, OSError, KeyboardInterrupt):
        _work(connection, parsed, messenger)


def _work(connection: Connection, parsed: argparse.Namespace, messenger: _Messenger) -> None:
    from video_cam.errors import VideoCamError

    try:
        from video_cam.batch.runner import ClipRunner
        from video_cam.batch.store import Busy

        runner = ClipRunner(parsed, messenger)
    except VideoCamError as error:
        connection.send(("error", error))
        return
    connection.send(("answer", None))
    while True:
        job, wait_seconds = connection.recv()
        try:
            row = runner.run(job, messenger.progress, wait_seconds=wait_seconds)
        except Busy:
            row = None
        connection.send(("answer", row))
