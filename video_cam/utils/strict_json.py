"""Read JSON that may come from anybody: finite numbers only, and one kind of error."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from typing import Any, TypeVar

import msgspec

Checked = TypeVar("Checked")

# Fraction() itself also takes "1e999999999", and would compute for hours.
_FRACTION = re.compile(r"\d{1,19}(/[1-9]\d{0,18})?", re.ASCII)
_MAX_NUMBER = 10**19

# The values of an entry that is only passed on: limited in depth, so that all later code can
# write them again.
Scalar = None | bool | int | float | str
Row = Scalar | list[Scalar] | dict[str, Scalar]
Entry = Scalar | list[Row] | dict[str, Row]


def parse_json(data: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: for text that is not JSON, is nested too deeply, or holds NaN, an infinite
            number or an integer of more than some thousand digits.
    """
    try:
        return json.loads(data, parse_constant=_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("the JSON text is nested too deeply") from error


def checked(value: Any, kind: type[Checked]) -> Checked:
    """A value of JSON's types as ``kind``, whose annotations say what is expected.

    Args:
        kind: a msgspec.Struct or a dataclass. A Fraction may be a number, or text such as
            "30000/1001".

    Raises:
        ValueError: where the value is something else; the message is one line.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_fraction)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a finite number")
    return number


def _fraction(kind: type, value: Any) -> Fraction:
    is_text = isinstance(value, str) and _FRACTION.fullmatch(value) is not None
    is_number = isinstance(value, int | float) and abs(value) < _MAX_NUMBER
    if kind is not Fraction or isinstance(value, bool) or not (is_text or is_number):
        raise ValueError("expected a number, or a fraction of two whole numbers as text")
    return Fraction(value)
