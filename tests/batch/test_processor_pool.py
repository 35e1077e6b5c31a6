"""Processors that threads wait for."""

from __future__ import annotations

import threading
import time

from video_cam.batch.processor_pool import ProcessorPool

MAX_SECONDS = 6  # a test that waits so long has failed


def start_and_wait(pool: ProcessorPool[str], kind: str, order: list[str]) -> threading.Thread:
    """A thread that takes a processor; returns when it waits for one."""

    def take() -> None:
        with getattr(pool, kind)() as processor:
            order.append(f"{kind} {processor}")

    before = sum(pool.num_waiting)
    thread = threading.Thread(target=take)
    thread.start()
    deadline = time.monotonic() + MAX_SECONDS
    while sum(pool.num_waiting) == before and time.monotonic() < deadline:
        time.sleep(0.001)
    return thread


def test_readers_come_first() -> None:
    pool, order = ProcessorPool(["a"]), []
    with pool.reader():
        kinds = ("drawer", "drawer", "reader", "reader")
        threads = [start_and_wait(pool, kind, order) for kind in kinds]
        assert pool.num_waiting == (2, 2) and not order
    for thread in threads:
        thread.join(MAX_SECONDS)
    assert order == ["reader a", "reader a", "drawer a", "drawer a"]
    assert pool.num_waiting == (0, 0)


def test_no_more_processors_are_used_than_are_needed() -> None:
    pool = ProcessorPool(["a", "b", "c"])
    for _ in range(3):
        with pool.reader() as first:
            assert first == "a"
            with pool.drawer() as second:
                assert second == "b"


def test_a_processor_is_returned_after_an_error() -> None:
    pool = ProcessorPool(["a"])
    for _ in range(2):
        try:
            with pool.drawer():
                raise ValueError
        except ValueError:
            pass
    assert pool.num_waiting == (0, 0)
