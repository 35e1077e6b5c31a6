"""Check what users give, suggest the nearest valid names, and print names on one line."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from video_cam.errors import UsageError
from video_cam.utils.files import StrPath
from video_cam.utils.text import shortened

MAX_NAME_LETTERS = 100  # that are compared and shown


def check_names(what: str, names: Sequence[str], known: Iterable[str]) -> None:
    """Check that all ``names`` are in ``known``.

    Args:
        what: the kind of name, for the message, such as "method".

    Raises:
        UsageError: for the first unknown name; the message suggests valid ones.
    """
    known = list(known)
    for name in names:
        if name not in known:
            shown = shortened(repr(name), MAX_NAME_LETTERS)
            raise UsageError(f"unknown {what} {shown}: {nearest(str(name), known)}")


def as_tuple(value: Any) -> tuple[Any, ...]:
    """An iterable as a tuple; a single name or number as a tuple of one."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return (value,)
    return tuple(value)


def nearest(name: str, known: Sequence[str], most: int = 3) -> str:
    """The end of an error message: up to ``most`` names similar to ``name``, else the choices."""
    # Names may come from a file: comparing two of thousands of letters takes seconds.
    short = [shortened(one, MAX_NAME_LETTERS) for one in known]
    near = difflib.get_close_matches(shortened(name, MAX_NAME_LETTERS), short, n=most, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"choose one of {', '.join(short[:12])}{', ...' if len(short) > 12 else ''}"


def printable_path(path: StrPath) -> str:
    """The path on one printable line: as it is, or quoted with escapes."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


def function_name(function: Callable[..., Any]) -> str:
    """The name of a function in captions and files."""
    return str(getattr(function, "__name__", type(function).__name__))


def check_positive(config: Any, names: Sequence[str]) -> None:
    """Raise UsageError unless these attributes of ``config`` are None or above 0."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{name} {value} must be above 0")
