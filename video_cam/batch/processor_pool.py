"""Processors that are lent to the threads that need one: first to those that read a clip."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

Processor = TypeVar("Processor")


class ProcessorPool(Generic[Processor]):
    """Lends each processor to one thread at a time.

    A thread that reads a clip comes before those that draw one: the network may wait for what is
    read, and nothing waits for what is drawn.
    """

    def __init__(self, processors: Sequence[Processor]) -> None:
        """Take the processors; the last ones are lent only where the first do not suffice."""
        self._free = list(reversed(processors))
        self._changed = threading.Condition()
        self._num_readers = self._num_drawers = 0

    @property
    def num_waiting(self) -> tuple[int, int]:
        """How many threads wait for a processor to read, and how many to draw."""
        return self._num_readers, self._num_drawers

    @contextmanager
    def reader(self) -> Iterator[Processor]:
        """A processor for reading a clip, when one is free."""
        with self._changed:
            self._num_readers += 1
            self._changed.wait_for(lambda: self._free)
            self._num_readers -= 1
            processor = self._free.pop()
        with self._returned(processor):
            yield processor

    @contextmanager
    def drawer(self) -> Iterator[Processor]:
        """A processor for drawing a clip, when one is free that nobody waits for to read."""
        with self._changed:
            self._num_drawers += 1
            self._changed.wait_for(lambda: self._free and not self._num_readers)
            self._num_drawers -= 1
            processor = self._free.pop()
        with self._returned(processor):
            yield processor

    @contextmanager
    def _returned(self, processor: Processor) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._free.append(processor)
                self._changed.notify_all()
