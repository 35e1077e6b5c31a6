"""Run work in other threads: produce items in advance, or make calls in the background.

PyAV, OpenCV and PyTorch release the interpreter lock while they compute, so threads suffice.
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
Result = TypeVar("Result")

_END = object()
_POLL_SECONDS = 0.05  # how often a producer that waits for room checks whether it should stop


@contextmanager
def prefetch(items: Iterable[Item], depth: int) -> Iterator[Iterator[Item]]:
    """Iterate over ``items`` in another thread, up to ``depth`` items in advance.

        with prefetch(reader, 8) as frames:
            for frame in frames:
                ...

    Any exception raised by ``items`` is passed on to the consumer. The thread has ended when the
    block ends, whether or not all items were consumed.

    Args:
        items: iterated over in the other thread only.
        depth: how many finished items may wait for the consumer.
    """
    finished: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()
    thread = threading.Thread(
        target=_produce, args=(items, finished, stop), name="prefetch", daemon=True
    )
    thread.start()
    try:
        yield _consume(finished)
    finally:
        stop.set()
        thread.join()


def _produce(items: Iterable[Any], finished: queue.Queue[Any], stop: threading.Event) -> None:
    try:
        for item in items:
            if not _put((item, None), finished, stop):
                return
        _put((_END, None), finished, stop)
    except BaseException as error:  # Any exception is passed on to the consumer.
        _put((_END, error), finished, stop)


def _put(item: Any, finished: queue.Queue[Any], stop: threading.Event) -> bool:
    """Wait for room; False if the consumer has stopped."""
    while not stop.is_set():
        try:
            finished.put(item, timeout=_POLL_SECONDS)
            return True
        except queue.Full:
            continue
    return False


def _consume(finished: queue.Queue[Any]) -> Iterator[Any]:
    while True:
        item, error = finished.get()
        if error is not None:
            raise error
        if item is _END:
            return
        yield item


@contextmanager
def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], num_threads: int
) -> Iterator[Iterator[Result]]:
    """Apply ``function`` to the items in several threads, and iterate over the results in order.

        with ordered_map(draw, frames, 4) as drawn:
            for picture in drawn:
                ...

    An exception of a call is raised where its result would come. The threads have ended when the
    block ends, whether or not all results were consumed.

    Args:
        function: may be called by several threads at a time.
        items: iterated over by the consumer.
        num_threads: how many calls run at a time, those included whose results wait; with 1 the
            consumer makes them itself.
    """
    if num_threads == 1:  # the consumer's own
        yield map(function, items)
        return
    pool = ThreadPoolExecutor(num_threads)
    try:
        yield _in_order(pool, function, items, num_threads)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    num_threads: int,
) -> Iterator[Result]:
    unfinished: deque[Future[Result]] = deque()
    for item in items:
        if len(unfinished) == num_threads:
            yield unfinished.popleft().result()
        unfinished.append(pool.submit(function, item))
    while unfinished:
        yield unfinished.popleft().result()


class BackgroundCalls:
    """Function calls that run in other threads, started in order.

        with BackgroundCalls(depth=8) as calls:
            calls.call(save, path, picture)
            calls.finish()

    An exception raised by a call is raised again by a later ``call`` or by ``finish``. When the
    block is left by an exception, calls that have not started are cancelled.

    Args:
        depth: how many unfinished calls there may be before ``call`` waits.
        num_threads: how many calls run at a time; with one thread they also finish in order.
    """

    def __init__(self, depth: int, num_threads: int = 1) -> None:
        self._pool = ThreadPoolExecutor(num_threads)
        self._depth = depth
        self._unfinished: deque[Future[Any]] = deque()

    def __enter__(self) -> BackgroundCalls:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run ``function(*arguments)`` in the background; waits while too many are unfinished."""
        while len(self._unfinished) >= self._depth:
            self._unfinished.popleft().result()
        self._unfinished.append(self._pool.submit(function, *arguments))

    def finish(self) -> None:
        """Wait until all calls have finished."""
        while self._unfinished:
            self._unfinished.popleft().result()
