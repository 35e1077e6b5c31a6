"""One explanation at a time, in a worker process; others wait in the order in which they came."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from video_cam.app.live_reporter import LiveReporter, Stage
from video_cam.batch.jobs import ClipRecord, plan_jobs
from video_cam.batch.report import RunReport
from video_cam.batch.run_config import RunConfig
from video_cam.batch.store import open_store
from video_cam.batch.worker import Worker, WorkerDied, WorkerStopped, WorkerTimedOut
from video_cam.errors import VideoCamError
from video_cam.utils.reporter import SilentReporter

_WAIT_SECONDS = 5.0  # for another run that is processing the clip


class Cancelled(VideoCamError):
    """Somebody cancelled the explanation."""


@dataclass(frozen=True)
class Result:
    """What was written for a clip.

    Attributes:
        folder: its name in the output folder.
        summary: the content of its summary.json.
        messages: what was said when the network was loaded, one line each.
        seconds: that it took.
    """

    folder: str
    summary: dict[str, Any]
    messages: tuple[str, ...]
    seconds: float


@dataclass(eq=False)
class Task:
    """An explanation that was asked for.

    Attributes:
        clip: the path of the clip.
        config: network and options.
        future: its Result, or a VideoCamError whose message is one line.
        is_cancelled: set by ``Engine.cancel``.
    """

    clip: Path
    config: RunConfig
    future: Future[Result] = field(default_factory=Future)
    is_cancelled: threading.Event = field(default_factory=threading.Event)


class Engine:
    """Explains clips one after another. The process with the network stays for the next clip."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, "explain")
        self._lock = threading.Lock()
        self._tasks: list[Task] = []  # the one that runs comes first
        self._reporter = LiveReporter()
        self._worker: Worker | None = None
        self._config: RunConfig | None = None

    def submit(self, clip: Path, config: RunConfig) -> Task:
        """Add an explanation to the queue."""
        task = Task(clip, config)
        with self._lock:
            self._tasks.append(task)
        self._threads.submit(self._run, task)
        return task

    def position(self, task: Task) -> int:
        """How many explanations come before this one: 0 for the one that runs."""
        with self._lock:
            return self._tasks.index(task) if task in self._tasks else 0

    @property
    def stage(self) -> Stage | None:
        """The stage of the explanation that runs."""
        return self._reporter.stage

    def cancel(self, task: Task) -> None:
        """Give up an explanation: at once where it waits, else when it has cleaned up."""
        with self._lock:
            if task not in self._tasks:
                return
            task.is_cancelled.set()
            if self._tasks[0] is not task:
                self._tasks.remove(task)
                task.future.set_exception(Cancelled("cancelled"))
            elif self._worker is not None:
                self._worker.stop()

    def close(self) -> None:
        """Give up what runs and what waits, and end the process."""
        with self._lock:
            tasks = [*self._tasks]
        for task in reversed(tasks):  # the one that runs last, so that no other begins
            self.cancel(task)
        self._threads.shutdown()
        self._end_worker()

    def _run(self, task: Task) -> None:
        if task.future.done():  # cancelled while it waited
            return
        try:
            task.future.set_result(self._result(task))
        except WorkerStopped:
            task.future.set_exception(Cancelled("cancelled"))
        except (WorkerDied, WorkerTimedOut) as error:
            task.future.set_exception(VideoCamError(str(error)))
        except Exception as error:  # the page waits for the future, whatever is broken
            task.future.set_exception(error)
        finally:
            with self._lock:
                self._tasks.remove(task)
                self._reporter.stage = None
            if task.is_cancelled.is_set():  # the process was stopped, perhaps after its last step
                self._end_worker()

    def _result(self, task: Task) -> Result:
        """Explain a clip, and add it to the list of all clips.

        Raises:
            VideoCamError: for what cannot be explained, and where the task is cancelled.
            WorkerStopped, WorkerDied, WorkerTimedOut: as ``Worker.run`` does.
        """
        store = open_store(task.config.output_dir)
        store.prepare()
        jobs = plan_jobs({task.clip: ()}, store)  # a list of clips is refused, as any other text
        store.check_all([job.name for job in jobs])
        worker = self._worker_for(task)
        limit = task.config.time_limit
        record = worker.run(jobs[0], wait_seconds=_WAIT_SECONDS, time_limit=limit)
        if not isinstance(record, ClipRecord):
            raise VideoCamError("another run is processing this clip: try again when it has ended")
        if record.folder is None:
            raise VideoCamError(_error_of(record))
        with RunReport(jobs, store, SilentReporter()) as report:
            report.add(record)
        summary = store.summary(record.folder)
        if summary is None:
            raise VideoCamError("the results were removed while they were written: try again")
        return Result(record.folder, summary, tuple(self._reporter.messages), record.seconds)

    def _worker_for(self, task: Task) -> Worker:
        """A process with the task's network; that of the task before where nothing has changed."""
        worker = self._worker
        if worker is None or task.config != self._config:
            self._end_worker()
            self._reporter.messages.clear()
            worker = Worker(task.config, self._reporter)
        with self._lock:
            if task.is_cancelled.is_set():
                raise Cancelled("cancelled")
            is_new = worker is not self._worker
            self._worker, self._config = worker, task.config
        if is_new:
            try:
                worker.start()
            except VideoCamError:
                self._end_worker()
                raise
        return worker

    def _end_worker(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            with suppress(OSError):  # of a connection that its process has closed
                worker.close()


def _error_of(record: ClipRecord) -> str:
    """Why a clip failed, with its name instead of the path of the upload."""
    return (record.error or "").replace(record.clip, Path(record.clip).name)
