"""Check that arguments, and the fields of a frozen dataclass, have the types that they declare.

NumPy's and PyTorch's numbers and arrays stand for Python's, and one value for a tuple of one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from fractions import Fraction
from functools import cache
from numbers import Integral, Rational, Real
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from video_cam.errors import UsageError
from video_cam.utils.names import as_tuple
from video_cam.utils.text import shortened

MAX_SHOWN_LETTERS = 60  # of a wrong value
# Finer than a thousandth of a frame in a hundred seconds is a rounding error of float.
MAX_DENOMINATOR = 100_000
_WORDS = {
    int: "a whole number",
    float: "a number",
    Fraction: "a finite number",
    bool: "True or False",
    str: "a text",
    Callable: "a function",
}
_UNKNOWN = {"Tensor": Any}  # names that are imported for type checkers only


class _Misfit(Exception):
    """A value is not of the declared type."""


def check_types(config: Any) -> None:
    """Give every field of a frozen dataclass its declared type.

    Args:
        config: changed in place: NumPy's and PyTorch's numbers and arrays become Python's.

    Raises:
        UsageError: for a value of another type.
    """
    hints = _hints(config.__class__)
    for field in fields(config):
        value, hint = getattr(config, field.name), hints[field.name]
        try:
            object.__setattr__(config, field.name, _fitting(value, hint))
        except _Misfit as error:
            raise UsageError(
                f"{field.name} {shown_value(value)} must be {_in_words(hint)}"
            ) from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The declared types of a class; to evaluate them takes longer than to check the values."""
    return get_type_hints(kind, localns=_UNKNOWN)


def check_is(what: str, value: Any, kinds: Any, expected: str) -> None:
    """Check that a public function was given what it takes.

    Args:
        what: of the argument, for the message, as "the clip".
        value: what was given.
        kinds: types as ``isinstance`` takes them.
        expected: the right values, for the message.

    Raises:
        UsageError: for a value of another type.
    """
    if not isinstance(value, kinds):
        raise UsageError(f"{what} is {shown_value(value)}, expected {expected}")


def check_progress(value: Any) -> None:
    """Check that a public function was given something to tell progress to.

    Raises:
        UsageError: for anything but a function.
    """
    expected = "a function of a stage's name and its number of steps, as utils.progress.bar"
    check_is("progress", value, Callable, expected)


def check_path(what: str, value: Any) -> None:
    """Check that a public function was given a path; the empty text would mean this folder.

    Args:
        what: of the argument, for the message, as "the clip".
        value: what was given.

    Raises:
        UsageError: for a value of another type, and for an empty text.
    """
    check_is(what, value, str | os.PathLike, "a path")
    if value == "":
        raise UsageError(f"{what} is '', expected a path")


def shown_value(value: Any) -> str:
    """A value that was given, as text of one line and limited length."""
    if getattr(value, "shape", ()) != ():
        return f"(a {type(value).__name__} of shape {tuple(value.shape)})"
    return shortened(" ".join(repr(value).split()), MAX_SHOWN_LETTERS)


def plain(value: Any) -> Any:
    """NumPy's and PyTorch's numbers and arrays as Python's numbers and lists; others unchanged."""
    return value.tolist() if hasattr(value, "tolist") and hasattr(value, "dtype") else value


def _fitting(value: Any, hint: Any) -> Any:
    """The value as the hint's type.

    Raises:
        _Misfit: where it is of another type.
    """
    origin = get_origin(hint) or hint
    if origin is Any:
        return value
    if origin in (Union, UnionType):
        return _of_any(value, get_args(hint))
    if origin is Callable:
        return _if(callable(value), value)
    value = plain(value)
    if origin is tuple:
        return _tuple(value, get_args(hint))
    if origin is type(None):
        return _if(value is None, value)
    if origin in (str, bool):
        return _if(isinstance(value, origin), value)
    return _number(value, origin)


def _of_any(value: Any, hints: tuple[Any, ...]) -> Any:
    for hint in hints:
        try:
            return _fitting(value, hint)
        except _Misfit:
            continue
    raise _Misfit


def _tuple(value: Any, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(value, Mapping | bytes | None):
        raise _Misfit
    items = as_tuple(value)
    if hints[-1] is Ellipsis:
        return tuple(_fitting(item, hints[0]) for item in items)
    if len(items) != len(hints):
        raise _Misfit
    return tuple(map(_fitting, items, hints))


def _number(value: Any, kind: Any) -> Any:
    """A number as int, float or Fraction; True and False are none."""
    abstract = Integral if kind is int else Real
    if isinstance(value, bool) or not isinstance(value, abstract):
        raise _Misfit
    if isinstance(value, int) and kind is float:
        return value
    if kind is not Fraction:
        return kind(value)
    if isinstance(value, Rational):
        return Fraction(value)
    return Fraction(_if(math.isfinite(value), float(value))).limit_denominator(MAX_DENOMINATOR)


def _if(fits: bool, value: Any) -> Any:
    if not fits:
        raise _Misfit
    return value


def _in_words(hint: Any) -> str:
    """The values that a type has, as "a whole number or None"."""
    origin, parts = get_origin(hint) or hint, get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(map(_in_words, parts))
    if origin is type(None):
        return "None"
    if origin is not tuple:
        return _WORDS.get(origin, "another value")
    if parts[-1] is Ellipsis:
        return f"a list, each of it {_in_words(parts[0])}"
    return f"{len(parts)} values, each of them {_in_words(parts[0])}"
