"""Work that goes on in another thread while this one does something else.

PyAV, OpenCV and PyTorch let go of the interpreter while they work, so threads are enough.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")

_END = object()
_PATIENCE_SECONDS = 0.05  # how long a producer waits before it looks whether it should stop


@contextmanager
def ahead(items: Iterable[Item], depth: int) -> Iterator[Iterator[Item]]:
    """The items in order, made in another thread up to ``depth`` of them ahead.

    What making them raises is raised where they are taken. When the block ends the thread has
    ended, too, whether all items were taken or not.
    """
    made: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                made.put(item, timeout=_PATIENCE_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((_END, None))
        except BaseException as error:  # whatever it is, the consumer has to hear of it
            put((_END, error))

    def consume() -> Iterator[Item]:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item

    thread = threading.Thread(target=produce, name="ahead", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stop.set()
        thread.join()


class Behind:
    """Calls made in order in one other thread, at most ``depth`` of them waiting.

    An error of a call is raised by a later ``call`` or by ``finish``.
    """

    def __init__(self, depth: int, num_threads: int = 1) -> None:
        self._pool = ThreadPoolExecutor(num_threads)
        self._depth = depth
        self._waiting: deque[Future[Any]] = deque()

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Have it called; waits where too many calls wait already."""
        while len(self._waiting) >= self._depth:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(function, *arguments))

    def finish(self) -> None:
        """Wait until every call is done."""
        while self._waiting:
            self._waiting.popleft().result()
