"""The reporter of the worker process: keeps what the page shows while a clip is explained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from video_cam.utils.progress import Step
from video_cam.utils.reporter import SilentReporter


@dataclass(frozen=True)
class Stage:
    """How far a stage has come.

    Attributes:
        name: such as "explain" or "render".
        done: number of finished steps.
        total: number of all steps.
    """

    name: str
    done: int
    total: int


class LiveReporter(SilentReporter):
    """Keeps the stage that runs and the messages of a run; read from other threads.

    Attributes:
        stage: the innermost stage that runs, or the last one that ran; None before the first one.
        messages: status messages and warnings.
    """

    def __init__(self) -> None:
        self.stage: Stage | None = None
        self._running: Stage | None = None
        self.messages: list[str] = []

    def info(self, message: str) -> None:
        """Keep a status message."""
        self.messages.append(message)

    def warning(self, message: str) -> None:
        """Keep a warning."""
        self.messages.append(message)

    @contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Step]:
        """A context whose steps are kept in ``stage``."""
        outer, done = self._running, 0
        self.stage = self._running = Stage(stage, 0, total)

        def step(count: int) -> None:
            nonlocal done
            done = min(done + count, total)
            self.stage = self._running = Stage(stage, done, total)

        try:
            yield step
        finally:
            self._running = outer
            self.stage = outer or self.stage
