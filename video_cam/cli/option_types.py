"""Values of options: text to numbers, and choices as text for ``--help``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

_MEMORY_UNITS = {"M": 2**20, "G": 2**30}
_FILE_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def frame_rate(text: str) -> Fraction:
    """Frames per second, as "15", "29.97" or "30000/1001"."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a frame rate: give 15 or 30000/1001"
        ) from error


def seconds(text: str) -> float:
    """A finite number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def positive_seconds(text: str) -> float:
    """A finite number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def some_path(text: str) -> str:
    """A path that is not empty, as that of a variable that is not set would be."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty: name one, or leave the option out")
    return text


def memory_size(text: str) -> int:
    """ "800M" or "1.5G" as bytes: M are 2**20 bytes, G are 2**30."""
    return _bytes(text, _MEMORY_UNITS, "memory: give 800M or 6G")


def file_size(text: str) -> int:
    """ "800K" or "20M" as bytes: K are 2**10 bytes, M are 2**20, G are 2**30."""
    return _bytes(text, _FILE_UNITS, "a file: give 800K or 20M")


def _bytes(text: str, units: Mapping[str, int], of_what: str) -> int:
    number, unit = text[:-1], units.get(text[-1:].upper())
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if unit is None or not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size of {of_what}")
    return max(int(value * unit), 1)


def shard(text: str) -> tuple[int, int]:
    """ "2/8" as (2, 8): the second of eight parts."""
    index, _, count = text.partition("/")
    if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
        return int(index), int(count)
    raise argparse.ArgumentTypeError(f"{text!r} must be I/N with 1 <= I <= N, as in 2/8")


def bounds(text: str) -> tuple[int, int]:
    """ "2:8" as (2, 8), and "4" as (4, 4)."""
    fewest, _, most = text.partition(":")
    most = most or fewest
    if fewest.isdecimal() and most.isdecimal() and 1 <= int(fewest) <= int(most):
        return int(fewest), int(most)
    raise argparse.ArgumentTypeError(
        f"{text!r} must be N or MIN:MAX with 1 <= MIN <= MAX, as in 2:8"
    )


def choices(names: Sequence[str]) -> str:
    """ "a|b|c", for the place of a value."""
    return "|".join(names)


def choices_in_words(names: Sequence[str]) -> str:
    """ "a, b or c", for a sentence."""
    return f"{', '.join(names[:-1])} or {names[-1]}"
