"""How far a stage has come: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tqdm import tqdm

Step = Callable[[int], object]
Progress = Callable[[str, int], AbstractContextManager[Step]]


@contextmanager
def silent(stage: str, total: int) -> Iterator[Step]:
    """No report at all: what the library does unless it is asked."""
    yield lambda count: None


@contextmanager
def bar(stage: str, total: int) -> Iterator[Step]:
    """A bar with the time left on stderr, where stderr is a terminal; gone when done."""
    with tqdm(total=total, desc=stage, leave=False, disable=None, unit="") as meter:
        yield meter.update
