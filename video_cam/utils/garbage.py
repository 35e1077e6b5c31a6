"""Leave out of garbage collections what a process makes while it starts.

Importing PyTorch and torchvision makes a million objects, of which nearly none is garbage. The
collector goes through all of them several times meanwhile: a fifth of the time of the imports.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_is_allowed = False


def leave_out_start_up() -> None:
    """Make ``start_up_uncollected`` work in this process; without this call it does nothing.

    What is left out is never collected, so call it only in processes that belong to this tool.
    """
    global _is_allowed
    _is_allowed = True


@contextmanager
def start_up_uncollected() -> Iterator[None]:
    """Collect nothing in the block, and later nothing that was made before its end."""
    if not _is_allowed or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
