"""Going on with smaller batches where memory does not suffice."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from video_cam.errors import ClipError

Item = TypeVar("Item")

# What PyTorch's allocators for the CPU say; only those of accelerators have a class of their own.
_CPU_WORDS = ("can't allocate memory", "not enough memory", "std::bad_alloc")


class Halving:
    """Runs work in batches, and in halves of them from the first one on that is too large.

    size: how many at a time now. note: what happened, for the reader of the results; or None.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.note: str | None = None

    def run(self, batch: Sequence[Item], work: Callable[[Sequence[Item]], None]) -> None:
        """``work`` on the batch, in parts no larger than ``size``. Work that failed is repeated.

        Raises ClipError where memory does not suffice for one at a time.
        """
        rest = batch
        while rest:
            part = rest[: self.size]
            if _fits(work, part):
                rest = rest[len(part) :]
                continue
            self._halve(len(part))

    def _halve(self, failed: int) -> None:
        if self.size == 1:
            raise ClipError(
                "out of memory with one window at a time: try --precision bf16, fewer layers or "
                "methods, or another --device"
            )
        tried = min(self.size, failed) if failed > 1 else self.size
        self.size = tried // 2
        self.note = f"out of memory with batches of {tried}: went on with batches of {self.size}"
        # What the failed attempt held is only free once its exception is gone, as it is here.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocator of PyTorch or NumPy, or Python itself, found no memory."""
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in _CPU_WORDS)


def _fits(work: Callable[[Sequence[Item]], None], part: Sequence[Item]) -> bool:
    try:
        work(part)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True
