"""Interrupts, which are Ctrl-C and SIGTERM: one exception, then time to clean up.

Python raises KeyboardInterrupt for every Ctrl-C, so a second one would break off the cleaning up
that the first one began, with a traceback.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType

SECONDS_TO_CLEAN_UP = 10.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def handle_interrupts() -> None:
    """Raise KeyboardInterrupt for the first interrupt of this process, and only for the first.

    Later ones are ignored while the process cleans up; after ``SECONDS_TO_CLEAN_UP`` they end it
    at once. Interrupts that were held back are delivered. To be called in the main thread.

    Raises:
        KeyboardInterrupt: for an interrupt that was held back.
    """
    interrupted_at: float | None = None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted_at
        if interrupted_at is None:
            interrupted_at = time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - interrupted_at > SECONDS_TO_CLEAN_UP:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in _SIGNALS:
        # A shell starts background jobs with interrupts ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """A context in which interrupts wait; a process started in it holds them back as well.

    The process receives them when it calls ``handle_interrupts``. Without effect on Windows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # multiprocessing's first process has a tracker, whose start would deliver them.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
