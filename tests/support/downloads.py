"""Wait for what a browser saves into a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.browser import MAX_WAIT_SECONDS


@contextmanager
def downloaded(folder: Path) -> Iterator[Callable[[], Path]]:
    """Yields a function that gives the file that is new in ``folder``, when it is whole."""
    before = set(folder.iterdir())

    def saved() -> Path:
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while time.monotonic() < deadline:
            new = set(folder.iterdir()) - before
            # Firefox writes to a .part file beside an empty one of the final name.
            if (
                len(new) == 1
                and (path := next(iter(new))).suffix != ".part"
                and path.stat().st_size
            ):
                return path
            time.sleep(0.02)
        raise AssertionError(f"nothing was saved to {folder}")

    yield saved
