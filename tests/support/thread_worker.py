"""The worker of a run in a thread of this process: to start a process takes two seconds."""

from __future__ import annotations

import math
import multiprocessing
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

from video_cam.batch import worker as worker_module
from video_cam.batch.run_config import RunConfig
from video_cam.batch.worker import Worker


class ThreadWorker(Worker):
    """A worker whose loop of jobs runs in a thread. All messages go through the pipe as always."""

    def start(self) -> None:
        self._connection, other_end = multiprocessing.get_context("spawn").Pipe()
        self._process = _Thread(other_end, self._config, self._facts)
        self._process.start()
        self.network = self._receive_answer(math.inf, None)


class _Thread(threading.Thread):
    """In the place of a process."""

    exitcode = 1

    def __init__(self, connection: Connection, config: RunConfig, facts: bytes) -> None:
        super().__init__(daemon=True)
        self._connection, self._config, self._facts = connection, config, facts

    def run(self) -> None:
        # The pipe is closed when it ends, also after an error, as that of a process is.
        with suppress(EOFError, OSError), self._connection:
            worker_module._run_jobs(self._connection, self._config, self._facts)

    def kill(self) -> None:
        """Nothing: it ends when the other end is closed."""

    terminate = kill
