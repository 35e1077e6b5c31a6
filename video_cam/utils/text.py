"""Text from files (names, labels, metadata, messages of libraries) as data in every output.

Each function makes text safe for one place. Letters of all scripts stay as they are; what is
replaced are control characters (terminal escapes, tabs, newlines), separators of lines and
paragraphs, characters that turn the writing direction, halves of surrogate pairs (bytes of a file
name that are not UTF-8), and code points without a character.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

MAX_LINE_LETTERS = 20_000  # on a terminal; a message can name 20 paths of 255 letters and more
ELLIPSIS = "…"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# They join or part letters of Persian, Hindi and other scripts, and the parts of emoji.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
# A unit that is a word of its own, and not the first part of a file's name.
_BEFORE_UNIT = re.compile(r"(?<=[0-9]) (?=(?:%|ms|s|px|kB|MB|GB)(?!\.?\w))")
_UNSAFE_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def for_terminal(text: str) -> str:
    """Text on one line of a terminal or log: unsafe characters are written as escapes.

    Args:
        text: of any length; what exceeds MAX_LINE_LETTERS is left out.
    """
    text = shortened(text, MAX_LINE_LETTERS)
    if text.isprintable():
        return text
    return "".join(c if _is_safe(c) else c.encode("unicode_escape").decode() for c in text)


def for_picture(text: str, max_letters: int) -> str:
    """Text on one line of a picture: unsafe characters are drawn as spaces.

    Args:
        text: of any length.
        max_letters: the rest is cut before the text is measured, which takes long for long text.
    """
    text = shortened(text, max_letters)
    return text if text.isprintable() else "".join(c if _is_safe(c) else " " for c in text)


def for_page(text: str) -> str:
    """Text in HTML, before markup is escaped: unsafe characters but tabs and newlines are marks."""
    if text.isprintable():
        return text
    return "".join(c if _is_safe(c) or c in "\t\n" else _REPLACEMENT for c in text)


def unbroken(sentence: str) -> str:
    """A sentence in which no line ends between a number and its unit, as "92 %" or "0.5 s"."""
    return _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", sentence)


def for_page_data(value: Any) -> Any:
    """A value of JSON's types with ``for_page`` of every text in it, keys included."""
    if isinstance(value, str):
        return for_page(value)
    if isinstance(value, dict):
        return {for_page_data(key): for_page_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [for_page_data(item) for item in value]
    return value


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that people can read: letters as they are, unsafe characters as JSON's own escapes.

    Without ``indent`` it is one line, also for programs that end lines at U+2028 or U+0085, and it
    can be encoded in UTF-8 whatever ``value`` contains.
    """
    lines = json.dumps(value, ensure_ascii=False, indent=indent).split("\n")
    return "\n".join(line if line.isprintable() else _escaped_json(line) for line in lines)


def shortened(text: str, max_letters: int) -> str:
    """Text of at most ``max_letters`` letters; an ellipsis is the last one of what was cut."""
    if len(text) <= max_letters:
        return text
    return text[: max_letters - len(ELLIPSIS)] + ELLIPSIS


def _escaped_json(line: str) -> str:
    return "".join(c if _is_safe(c) else json.dumps(c)[1:-1] for c in line)


def _is_safe(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _UNSAFE_CATEGORIES
