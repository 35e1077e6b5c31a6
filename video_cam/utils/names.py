"""Names a user gives, checked against a table: a wrong one answers with the nearest right ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from video_cam.errors import UsageError


def check_names(what: str, names: Sequence[str], known: Iterable[str]) -> None:
    """Raise UsageError for the first of ``names`` that is not in ``known``."""
    known = list(known)
    for name in names:
        if name not in known:
            raise UsageError(f"unknown {what} {name!r}: {nearest(str(name), known)}")


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A list as a tuple; a single name or number as a tuple of one."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return (value,)
    return tuple(value)


def nearest(name: str, known: Sequence[str], most: int = 3) -> str:
    """The rest of a message: the names most like ``name``, or what there is to choose from."""
    near = difflib.get_close_matches(name, known, n=most, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"choose one of {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"
