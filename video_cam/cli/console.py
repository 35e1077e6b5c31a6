"""What the command tells: lines and bars for people, JSON lines for machines."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tqdm import tqdm

from video_cam.utils.progress import Step, bar, silent

SECONDS_BETWEEN_EVENTS = 0.5


class Voice(Protocol):
    """Somebody to tell things to."""

    def say(self, message: str) -> None:
        """Something worth knowing."""

    def warn(self, message: str) -> None:
        """Something to see to."""


class Console:
    """Lines on stdout, warnings and errors on stderr, bars where stderr is a terminal.

    quiet: errors and warnings only. as_json: every line of stdout is an object with an "event".
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet, as_json

    def say(self, message: str) -> None:
        if self.as_json:
            self.event("message", text=message)
        elif not self.quiet:
            _write(sys.stdout, message)

    def warn(self, message: str) -> None:
        _write(sys.stderr, f"warning: {message}")

    def complain(self, message: str) -> None:
        _write(sys.stderr, f"error: {message}")

    def event(self, event: str, **values: Any) -> None:
        """A line for machines, where they were asked for."""
        if self.as_json:
            _write(sys.stdout, json.dumps({"event": event, **values}, ensure_ascii=False))

    @contextmanager
    def progress(self, stage: str, total: int) -> Iterator[Step]:
        """How far a stage has come."""
        if self.as_json:
            with self._events(stage, total) as step:
                yield step
        else:
            with (silent if self.quiet else bar)(stage, total) as step:
                yield step

    @contextmanager
    def _events(self, stage: str, total: int) -> Iterator[Step]:
        done, told = 0, 0.0

        def step(count: int) -> None:
            nonlocal done, told
            done += count
            if done >= total or time.monotonic() - told >= SECONDS_BETWEEN_EVENTS:
                told = time.monotonic()
                self.event("progress", stage=stage, done=done, total=total)

        yield step


def _write(stream: Any, line: str) -> None:
    """One line, whatever bytes a file's name is made of and whatever the terminal can show."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    printable = line.encode(encoding, "backslashreplace").decode(encoding)
    tqdm.write(printable, file=stream)  # which moves bars out of the way
    stream.flush()


def set_up_logging(level: str) -> None:
    """The package's log on stderr from this level on; for debugging, FFmpeg's own words, too."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("video_cam")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    if level == "debug":
        from av import logging as ffmpeg

        # Not through Python's logging: FFmpeg's threads would wait for the interpreter's lock.
        ffmpeg.restore_default_callback()
