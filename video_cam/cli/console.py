"""What the command prints: lines and progress bars for people, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from video_cam.utils.progress import Step, bar, silent
from video_cam.utils.text import for_terminal

SECONDS_BETWEEN_EVENTS = 0.5


class Console:
    """A Reporter: lines on stdout, warnings and errors on stderr, bars if stderr is a terminal.

    Attributes:
        quiet: only warnings and errors are printed.
        as_json: every line on stdout is a JSON object with an "event".
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json

    def info(self, message: str) -> None:
        """Print a status message."""
        if self.as_json:
            self.event("message", text=message)
        elif not self.quiet:
            self.output(message)

    def output(self, line: str) -> None:
        """Print a line that was asked for, whatever the options say about messages."""
        _write(sys.stdout, for_terminal(line))

    def warning(self, message: str) -> None:
        """Print a warning on stderr."""
        _write(sys.stderr, for_terminal(f"warning: {message}"))

    def error(self, message: str) -> None:
        """Print an error on stderr."""
        _write(sys.stderr, for_terminal(f"error: {message}"))

    def event(self, name: str, **values: Any) -> None:
        """Print a JSON line if ``as_json``."""
        if self.as_json:
            # In ASCII: a terminal of any encoding can show it, and it holds no escapes of one.
            _write(sys.stdout, json.dumps({"event": name, **values}))

    @contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Step]:
        """Show the progress of a stage: "progress" events if ``as_json``, else a bar."""
        if self.as_json:
            with self._progress_events(stage, total) as step:
                yield step
        else:
            with (silent if self.quiet else bar)(stage, total) as step:
                yield step

    @contextmanager
    def _progress_events(self, stage: str, total: int) -> Iterator[Step]:
        done, last_event = 0, 0.0

        def step(count: int) -> None:
            nonlocal done, last_event
            done += count
            if done >= total or time.monotonic() - last_event >= SECONDS_BETWEEN_EVENTS:
                last_event = time.monotonic()
                self.event("progress", stage=stage, done=done, total=total)

        yield step


def _write(stream: Any, line: str) -> None:
    """Print one line; characters that the terminal cannot show are printed as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    printable = line.encode(encoding, "backslashreplace").decode(encoding)
    tqdm.write(printable, file=stream)  # keeps the line apart from progress bars
    stream.flush()
