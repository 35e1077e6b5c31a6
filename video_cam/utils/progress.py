"""Report how far a stage has come: a progress bar in a terminal, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tqdm import tqdm

# Called with the number of items done since the last call.
Step = Callable[[int], object]
# progress(stage, total) opens the report of one stage of ``total`` items.
Progress = Callable[[str, int], AbstractContextManager[Step]]


@contextmanager
def silent(stage: str, total: int) -> Iterator[Step]:
    """Report nothing: the default of the Python functions."""
    yield lambda count: None


@contextmanager
def bar(stage: str, total: int) -> Iterator[Step]:
    """A bar with the remaining time on stderr; removed at the end, none outside a terminal."""
    with tqdm(total=total, desc=stage, leave=False, disable=None, unit="") as meter:
        yield meter.update
