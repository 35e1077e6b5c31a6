"""Continue with smaller batches when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from video_cam.errors import ClipError

Item = TypeVar("Item")

# Messages of PyTorch's CPU allocator, which raises RuntimeError; only accelerators' allocators
# have an exception class of their own.
_CPU_MESSAGES = ("can't allocate memory", "not enough memory", "std::bad_alloc")


class BatchHalving:
    """Runs work in batches and halves the batch size whenever memory runs out.

    Attributes:
        size: the largest batch from now on.
        note: a sentence on the smaller batches, for the result's notes; None if there were none.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.note: str | None = None

    def run(self, batch: Sequence[Item], work: Callable[[Sequence[Item]], None]) -> None:
        """Call ``work`` on the batch, in parts of at most ``size`` items.

        A part that runs out of memory is tried again in smaller parts, so ``work`` must be safe
        to repeat.

        Raises:
            ClipError: if memory does not suffice for a single item.
        """
        rest = batch
        while rest:
            part = rest[: self.size]
            if _fits_in_memory(work, part):
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
        self.note = f"out of memory with batches of {tried}: continued with batches of {self.size}"
        # The failed attempt's tensors are held by its exception, which is gone here.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that PyTorch, NumPy or Python could not allocate memory."""
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(m in str(error) for m in _CPU_MESSAGES)


def _fits_in_memory(work: Callable[[Sequence[Item]], None], part: Sequence[Item]) -> bool:
    try:
        work(part)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True
