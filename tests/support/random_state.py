"""The caller's random generators are left as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def random_states_kept() -> Iterator[None]:
    """Fails where the block draws from a global generator of Python, NumPy or PyTorch."""
    before = _states()
    yield
    assert _states() == before


def _states() -> tuple[object, ...]:
    # The position counts, too: a single draw changes nothing else.
    _, keys, *position = np.random.get_state()  # noqa: NPY002, the generator that callers may use
    return random.getstate(), keys.tolist(), position, torch.get_rng_state().tolist()
