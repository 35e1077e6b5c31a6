"""Class names from a file, and a class from its number or name."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from video_cam.errors import UsageError
from video_cam.utils.names import nearest


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Names in the order of their class ids, from a file in one of the usual forms.

    Text, one name per line; JSON or a Python literal: a list of names, a dict from ids to names or
    from names to ids, or ImageNet's class index {"0": ["n01440764", "tench"], ...}. Raises
    UsageError where the file cannot be read or holds something else.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"label file {str(path)!r} cannot be read: {_reason(error)}") from error
    if path.suffix.lower() == ".json":
        try:
            return _names_of(json.loads(text), path)
        except json.JSONDecodeError as error:
            raise UsageError(f"label file {str(path)!r} is not valid JSON: {error}") from error
    content = _literal(text)
    if content is None:
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    return _names_of(content, path)


def count_labels(labels: str | Path | Sequence[str]) -> int:
    """How many names a file or a list holds."""
    return len(read_labels(labels) if isinstance(labels, str | Path) else labels)


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


def _literal(text: str) -> Any:
    """A dict or list written in Python or JSON, or None for plain text. Nothing is run."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    for read in (ast.literal_eval, json.loads):
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _names_of(content: Any, path: Path) -> tuple[str, ...]:
    if isinstance(content, dict) and all(_is_id(value) for value in content.values()):
        content = {value: name for name, value in content.items()}  # names to ids
    if isinstance(content, dict) and all(_is_id(key) for key in content):
        by_id = {int(key): value for key, value in content.items()}
        if sorted(by_id) != list(range(len(content))):
            raise UsageError(
                f"label file {str(path)!r} must number its {len(content)} classes from 0 to "
                f"{len(content) - 1}, each once"
            )
        content = [by_id[i] for i in range(len(by_id))]
    if isinstance(content, list | tuple):
        # ImageNet's class index: [WordNet's id, name].
        names = [item[1] if _is_pair(item) else item for item in content]
        if names and all(isinstance(name, str) for name in names):
            return tuple(names)
    raise UsageError(
        f"label file {str(path)!r} must hold a list of names, or a dict from class ids to names"
    )


def _is_id(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and value.isdecimal())


def _is_pair(item: Any) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2


def _reason(error: Exception) -> str:
    return error.strerror or "not text" if isinstance(error, OSError) else "it is not UTF-8 text"
