"""A Reporter that keeps what it receives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from video_cam.utils.progress import Step


class RecordingReporter:
    """Keeps messages, events and progress.

    Attributes:
        messages: (level, text), in order.
        events: (name, values), in order.
        stages: stage -> [finished steps, total].
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self.messages: list[tuple[str, str]] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.stages: dict[str, list[int]] = {}

    def info(self, message: str) -> None:
        self.messages.append(("info", message))

    def warning(self, message: str) -> None:
        self.messages.append(("warning", message))

    def error(self, message: str) -> None:
        self.messages.append(("error", message))

    def event(self, name: str, **values: Any) -> None:
        self.events.append((name, values))

    @contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Step]:
        steps = self.stages[stage] = [0, total]

        def step(count: int) -> None:
            steps[0] += count

        yield step

    def texts(self, level: str) -> list[str]:
        """The messages of one level."""
        return [text for name, text in self.messages if name == level]
