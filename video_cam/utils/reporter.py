"""Where status messages, warnings and progress go: a console, another process, or nowhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from video_cam.utils.progress import Step, silent


class Reporter(Protocol):
    """Receives status messages and warnings."""

    @property
    def as_json(self) -> bool:
        """Whether events are written; text for people that repeats an event is then left out."""

    def info(self, message: str) -> None:
        """A status message of one line."""

    def warning(self, message: str) -> None:
        """Something the user may want to change; the run goes on."""

    def error(self, message: str) -> None:
        """Something that failed."""

    def event(self, name: str, **values: Any) -> None:
        """A message for programs; ignored unless ``as_json``.

        Args:
            name: such as "clip" or "end".
            values: fields of the event, in JSON's types.
        """

    def progress(self, stage: str, total: int) -> AbstractContextManager[Step]:
        """A context that gives a function; each call of it reports more finished steps.

        Args:
            stage: such as "explain" or "render".
            total: number of steps.
        """


class SilentReporter:
    """A Reporter that drops everything."""

    as_json = False

    def info(self, message: str) -> None:
        """Drop the message."""

    def warning(self, message: str) -> None:
        """Drop the message."""

    def error(self, message: str) -> None:
        """Drop the message."""

    def event(self, name: str, **values: Any) -> None:
        """Drop the event."""

    def progress(self, stage: str, total: int) -> AbstractContextManager[Step]:
        """A context whose steps are not shown."""
        return silent(stage, total)


class CollectingReporter(SilentReporter):
    """Keeps messages until they are sent together with a record."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, str]] = []

    def info(self, message: str) -> None:
        """Keep a status message."""
        self._messages.append(("info", message))

    def warning(self, message: str) -> None:
        """Keep a warning."""
        self._messages.append(("warning", message))

    def error(self, message: str) -> None:
        """Keep an error."""
        self._messages.append(("error", message))

    def take_messages(self) -> list[tuple[str, str]]:
        """The (level, text) pairs since the last call."""
        messages, self._messages = self._messages, []
        return messages
