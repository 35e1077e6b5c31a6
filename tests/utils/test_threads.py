"""Prefetching and background calls: order, depth, errors, and threads that end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from video_cam.utils.threads import BackgroundCalls, ordered_map, prefetch


def prefetch_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "prefetch"]


def test_prefetch_keeps_the_order_and_its_depth() -> None:
    produced: list[int] = []
    threads: set[int] = set()

    def numbers() -> Iterator[int]:
        for i in range(50):
            produced.append(i)
            threads.add(threading.get_ident())
            yield i

    with prefetch(numbers(), 3) as items:
        first = next(items)
        time.sleep(0.05)
        # One consumed, three waiting, one that waits for room.
        assert first == 0 and 2 <= len(produced) <= 5
        assert list(items) == list(range(1, 50))
    assert prefetch_threads() == []
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_prefetch_passes_exceptions_on_and_ends_its_thread() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("here")

    with prefetch(broken(), 2) as items, pytest.raises(ValueError, match="here"):
        assert next(items) == 1
        next(items)
    with prefetch(iter(int, 1), 2) as endless:  # zeros without end
        assert next(endless) == 0
    with pytest.raises(KeyError), prefetch(iter(int, 1), 2):
        raise KeyError
    assert prefetch_threads() == []


def test_ordered_map_runs_side_by_side_and_keeps_the_order_and_its_depth() -> None:
    barrier = threading.Barrier(3, timeout=10)  # broken unless three calls run at the same time
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(9):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        barrier.wait()
        time.sleep(0.01 * (3 - number % 3))  # later ones end first
        return 10 * number

    before = threading.active_count()
    with ordered_map(work, numbers(), 3) as results:
        assert next(results) == 0 and taken == [0, 1, 2, 3]
        assert list(results) == [10 * number for number in range(1, 9)]
    assert threading.active_count() == before


def test_ordered_map_raises_in_order_and_ends_its_threads() -> None:
    def work(number: int) -> int:
        if number == 1:
            raise ValueError("here")
        return number

    before = threading.active_count()
    with ordered_map(work, iter(range(9)), 2) as results, pytest.raises(ValueError, match="here"):
        assert next(results) == 0
        next(results)
    with pytest.raises(KeyError), ordered_map(work, iter(int, 1), 2) as results:
        assert next(results) == 0
        raise KeyError
    assert threading.active_count() == before


def test_background_calls_keep_their_order() -> None:
    done: list[int] = []
    threads: set[int] = set()

    def work(number: int) -> None:
        done.append(number)
        threads.add(threading.get_ident())

    with BackgroundCalls(2) as calls:
        for i in range(20):
            calls.call(work, i)
        calls.finish()
    assert done == list(range(20))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_background_calls_wait_when_too_many_are_unfinished() -> None:
    held = threading.Event()
    with BackgroundCalls(2) as calls:
        calls.call(held.wait)
        calls.call(int)
        threading.Timer(0.1, held.set).start()
        began = time.perf_counter()
        calls.call(int)  # waits for the first call
        assert time.perf_counter() - began > 0.05
        calls.finish()


def test_background_calls_run_side_by_side_with_several_threads() -> None:
    both = threading.Barrier(2, timeout=5)
    with BackgroundCalls(4, num_threads=2) as calls:
        calls.call(both.wait)
        calls.call(both.wait)
        calls.finish()


def test_background_calls_raise_errors_in_finish_and_in_a_later_call() -> None:
    with pytest.raises(ZeroDivisionError), BackgroundCalls(1) as calls:
        calls.call(lambda: 1 / 0)
        calls.finish()
    with pytest.raises(ZeroDivisionError), BackgroundCalls(1) as calls:
        calls.call(lambda: 1 / 0)
        calls.call(int)


def test_background_calls_that_have_not_started_are_cancelled_by_an_exception() -> None:
    done: list[int] = []
    with pytest.raises(KeyError), BackgroundCalls(9) as calls:
        calls.call(time.sleep, 0.1)
        calls.call(done.append, 1)
        raise KeyError
    assert done == []
