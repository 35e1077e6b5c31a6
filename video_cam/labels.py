"""Class names from a file, and a class from its number or name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

from video_cam.errors import UsageError
from video_cam.names import nearest


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Names in the order of their class ids, from a text file (one per line) or a JSON list.

    Raises UsageError where the file cannot be read or holds something else.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"label file {str(path)!r} cannot be read: {_reason(error)}") from error
    if path.suffix.lower() != ".json":
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        names = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"label file {str(path)!r} is not valid JSON: {error}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"label file {str(path)!r} must hold a JSON list of names")
    return tuple(names)


def class_id(text: str | int, labels: Sequence[str]) -> int:
    """A class by its number or its name (case does not matter); UsageError with near names."""
    if isinstance(text, Integral) or str(text).isdecimal():
        if 0 <= int(text) < len(labels):
            return int(text)
        raise UsageError(f"class id {text} is outside 0 ... {len(labels) - 1}")
    text = str(text)
    lowered = [label.lower() for label in labels]
    if text.lower() in lowered:
        return lowered.index(text.lower())
    raise UsageError(f"unknown class {text!r}: {nearest(text, labels)}")


def _reason(error: Exception) -> str:
    return error.strerror or "not text" if isinstance(error, OSError) else "it is not UTF-8 text"
