"""Class names from a label file, and a class id from a number or a name."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from video_cam.errors import UsageError, first_line
from video_cam.utils.files import read_regular
from video_cam.utils.names import nearest
from video_cam.utils.strict_json import parse_json

MAX_BYTES = 2**26  # of a label file: 100,000 classes with names of 600 letters
MAX_NAME_LETTERS = 10_000  # results hold a name once for every window
MAX_ID_DIGITS = 18  # longer numbers are names; Python reads no number of more than 4300 digits


def read_labels(path: str | Path) -> tuple[str, ...]:
    """Class names in the order of their ids.

    Args:
        path: a text file with one name per line; or JSON or a Python literal, which is a list of
            names, a dict from ids to names or from names to ids, or ImageNet's class index
            {"0": ["n01440764", "tench"], ...}. The file's content is parsed, never run.

    Raises:
        UsageError: where the file cannot be read or contains something else.
    """
    path = Path(path)
    names = _parsed(_read_text(path), path)
    too_long = next((i for i, name in enumerate(names) if len(name) > MAX_NAME_LETTERS), None)
    if too_long is not None:
        raise UsageError(
            f"label file {str(path)!r}: the name of class {too_long} has {len(names[too_long])} "
            f"letters, expected at most {MAX_NAME_LETTERS}"
        )
    return names


def count_labels(labels: str | Path | Sequence[str]) -> int:
    """The number of names in a label file or a list."""
    return len(read_labels(labels) if isinstance(labels, str | Path) else labels)


def class_id(text: str | int, labels: Sequence[str]) -> int:
    """The id of the class with this number or name; upper and lower case are the same.

    Raises:
        UsageError: for a number or name that the network does not have, with similar names.
    """
    if isinstance(text, Integral) or _is_id(text):
        if 0 <= int(text) < len(labels):
            return int(text)
        raise UsageError(
            f"class id {text} is outside 0 ... {len(labels) - 1}: the network has "
            f"{len(labels)} classes"
        )
    text = str(text)
    lowered = [label.lower() for label in labels]
    if text.lower() in lowered:
        return lowered.index(text.lower())
    raise UsageError(f"unknown class {text!r}: {nearest(text, labels)}")


def _read_text(path: Path) -> str:
    """The text of a label file, with \\n as the end of its lines."""
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path with a zero byte
        raise UsageError(f"label file {str(path)!r} cannot be read: {_reason(error)}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parsed(text: str, path: Path) -> tuple[str, ...]:
    if path.suffix.lower() == ".json":
        try:
            content = parse_json(text)
        except ValueError as error:
            raise UsageError(
                f"label file {str(path)!r} is not valid JSON: {first_line(error)}"
            ) from error
        return _names_in(content, path)
    content = _literal(text)
    if content is None:
        # Not splitlines: a name may hold characters such as U+2028.
        return tuple(line.strip() for line in text.split("\n") if line.strip())
    return _names_in(content, path)


def _literal(text: str) -> Any:
    """A dict or list written in Python or JSON; None for plain text."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    for parse in (_python_literal, parse_json):
        try:
            return parse(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _python_literal(text: str) -> Any:
    with warnings.catch_warnings():
        # Of the compiler, on what is no literal: nobody wrote the file to be compiled.
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return ast.literal_eval(text)


def _names_in(content: Any, path: Path) -> tuple[str, ...]:
    if isinstance(content, dict) and all(_is_id(value) for value in content.values()):
        content = {value: name for name, value in content.items()}  # was from names to ids
    if isinstance(content, dict) and all(_is_id(key) for key in content):
        by_id = {int(key): value for key, value in content.items()}
        if sorted(by_id) != list(range(len(content))):
            raise UsageError(
                f"label file {str(path)!r} must number its {len(content)} classes from 0 to "
                f"{len(content) - 1}, each once"
            )
        content = [by_id[i] for i in range(len(by_id))]
    if isinstance(content, list | tuple):
        # An item of ImageNet's class index is [WordNet id, name].
        names = [item[1] if _is_pair(item) else item for item in content]
        if names and all(isinstance(name, str) for name in names):
            return tuple(names)
    raise UsageError(
        f"label file {str(path)!r} must hold a list of names, or a dict from class ids to names"
    )


def _is_id(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return value.isdecimal() and len(value) <= MAX_ID_DIGITS
    return isinstance(value, int)


def _is_pair(item: Any) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
