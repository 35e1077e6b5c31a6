"""What the command prints: lines and progress bars for people, JSON lines for programs."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        has_reader: False when the process that read stdout has ended, as in ``... | head -1``.
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json
        self.has_reader = True

    def line(self, line: str) -> None:
        """Print a line on stdout that was asked for, also if ``quiet`` or ``as_json``."""
        self._print(for_terminal(line))

    def info(self, message: str) -> None:
        """Print a status message."""
        if self.as_json:
            self.event("message", text=message)
        elif not self.quiet:
            self.line(message)

    def warning(self, message: str) -> None:
        """Print a warning on stderr."""
        self._complain(f"warning: {message}")

    def error(self, message: str) -> None:
        """Print an error on stderr."""
        self._complain(f"error: {message}")

    def event(self, name: str, **values: Any) -> None:
        """Print a JSON line if ``as_json``."""
        if self.as_json:
            # In ASCII: a terminal of any encoding can show it, and it holds no escapes of one.
            self._print(json.dumps({"event": name, **values}))

    @contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Step]:
        """Show the progress of a stage: "progress" events if ``as_json``, else a bar."""
        if self.as_json:
            with self._progress_events(stage, total) as step:
                yield step
        else:
            with (silent if self.quiet else bar)(stage, total) as step:
                yield step

    def _print(self, line: str) -> None:
        try:
            _write(sys.stdout, line)
        except BrokenPipeError:
            self.has_reader = False
            _discard_stdout()

    def _complain(self, line: str) -> None:
        with suppress(BrokenPipeError):  # nobody reads it, as in ``... 2>&1 | head -1``
            _write(sys.stderr, for_terminal(line))

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


def _discard_stdout() -> None:
    """Drop what is printed from now on, and what Python prints when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _write(stream: Any, line: str) -> None:
    """Print one line; characters that the terminal cannot show are printed as escapes."""
    if stream is None:  # closed by the shell
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    printable = line.encode(encoding, "backslashreplace").decode(encoding)
    tqdm.write(printable, file=stream)  # keeps the line apart from progress bars
    stream.flush()
