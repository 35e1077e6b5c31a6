"""Messages and progress on their way to a reporter that is in another process or thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from video_cam.utils.progress import Step
from video_cam.utils.reporter import Reporter

Message = tuple[str, Any]  # kind and content
_SECONDS_BETWEEN_STEPS = 0.05


class SendingReporter:
    """A reporter that sends what it is told; a ``Forwarder`` at the other end tells it on."""

    as_json = False  # reports of clips come from the other end

    def __init__(self, send: Callable[[Message], object]) -> None:
        self._send = send
        self._num_stages = 0

    def info(self, message: str) -> None:
        """Send a status message."""
        self._send(("info", message))

    def warning(self, message: str) -> None:
        """Send a warning."""
        self._send(("warning", message))

    def error(self, message: str) -> None:
        """Send an error."""
        self._send(("error", message))

    def event(self, name: str, **values: Any) -> None:
        """Send a message for programs."""
        self._send(("event", (name, values)))

    @contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Step]:
        """Send steps in groups: a message for each would cost more than a frame does."""
        self._num_stages += 1
        number, unsent, sent_at = self._num_stages, 0, 0.0
        self._send(("stage", (number, stage, total)))

        def step(count: int) -> None:
            nonlocal unsent, sent_at
            unsent += count
            if time.monotonic() - sent_at >= _SECONDS_BETWEEN_STEPS:
                self._send(("step", (number, unsent)))
                unsent, sent_at = 0, time.monotonic()

        try:
            yield step
            self._send(("step", (number, unsent)))
        finally:
            self._send(("stage_end", number))


class Forwarder:
    """Passes the messages of one SendingReporter on to a reporter.

    A context manager: stages whose end was not sent end with it.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._stack = ExitStack()
        self._stages: dict[int, tuple[ExitStack, Step]] = {}

    def __enter__(self) -> Forwarder:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def forward(self, message: Message) -> None:
        """Pass one message on."""
        match message:
            case "info" | "warning" | "error" as level, text:
                getattr(self._reporter, level)(text)
            case "event", (name, values):
                self._reporter.event(name, **values)
            case "stage", (number, stage, total):
                own = self._stack.enter_context(ExitStack())
                self._stages[number] = own, own.enter_context(self._reporter.progress(stage, total))
            case "step", (number, count):
                self._stages[number][1](count)
            case "stage_end", number:
                self._stages.pop(number)[0].close()
