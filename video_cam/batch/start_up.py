"""How long a process takes from its start to the first window, for the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psutil

from video_cam.utils.progress import Progress, Step

_FIRST_STAGE = "explain"

_log = logging.getLogger(__name__)


class StartUp:
    """Measures the parts of the start-up, and logs them in one line after the first window."""

    def __init__(self) -> None:
        """Count what has passed since the process began as imports."""
        self._seconds: dict[str, float] = {}
        self._since = psutil.Process().create_time()
        self._is_logged = False
        self.end("imports")

    def end(self, part: str) -> None:
        """The time since the last part's end was spent on this one."""
        now = time.time()
        self._seconds[part] = self._seconds.get(part, 0.0) + now - self._since
        self._since = now

    def watched(self, progress: Progress) -> Progress:
        """``progress`` of the first clip, whose first window ends the start-up."""
        if self._is_logged:
            return progress
        self._since = time.time()

        def watching(stage: str, total: int) -> AbstractContextManager[Step]:
            return self._watched_stage(progress, stage, total)

        return watching

    @contextmanager
    def _watched_stage(self, progress: Progress, stage: str, total: int) -> Iterator[Step]:
        with progress(stage, total) as step:
            if stage != _FIRST_STAGE or self._is_logged:
                yield step
                return
            self.end("network facts")

            def first_step(count: int) -> None:
                if not self._is_logged:
                    self.end("first windows")
                    self._report()
                step(count)

            yield first_step

    def _report(self) -> None:
        self._is_logged = True
        parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in self._seconds.items())
        _log.info("start-up: %s", parts)
