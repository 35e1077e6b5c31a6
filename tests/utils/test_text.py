"""Every hostile text is harmless in every place, and what people write stays readable."""

from __future__ import annotations

import json
import unicodedata

import pytest

from tests.support.hostile import TEXTS
from video_cam.utils.text import (
    MAX_LINE_LETTERS,
    for_page,
    for_page_data,
    for_picture,
    for_terminal,
    json_text,
    shortened,
    unbroken,
)

# Cf: direction and tags; the joiners that scripts need are of this category, too.
UNSAFE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
READABLE = ("spin left", "Zürich - 50 %", TEXTS["other scripts"], "a\u00a0b")


def unsafe(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in UNSAFE} - {"\u200c", "\u200d"}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_text(text: str) -> None:
    assert not unsafe(for_terminal(text)) and not unsafe(for_picture(text, 50))
    assert not unsafe(for_page(text)) - {"\t", "\n"}
    written = json_text({text: [text]})
    assert not unsafe(written) and len(written.splitlines()) == 1
    assert json.loads(written.encode()) == {text: [text]}


@pytest.mark.parametrize("text", READABLE)
def test_letters_of_all_scripts_stay(text: str) -> None:
    assert for_terminal(text) == for_picture(text, 100) == for_page(text) == text
    assert json_text(text) == f'"{text}"'


def test_what_is_unsafe_is_named_on_a_terminal_and_marked_elsewhere() -> None:
    assert for_terminal("a\x1b[1m\n\u202e\udce9") == r"a\x1b[1m\n\u202e\udce9"
    assert for_picture("a\x1bb\nc", 10) == "a b c"
    assert for_page("a\x1bb\nc\td") == "a\N{REPLACEMENT CHARACTER}b\nc\td"
    assert for_page_data({"a\0": ["\x1b", 1, None, ("\u202e",)]}) == {"a�": ["�", 1, None, ["�"]]}


def test_length_is_limited() -> None:
    assert shortened("abcd", 4) == "abcd" and shortened("abcde", 4) == "abc…"
    assert len(for_terminal("a" * 10**7)) == MAX_LINE_LETTERS
    assert len(for_picture("\0" * 10**7, 9)) == 9


def test_json_keeps_its_indentation_and_pairs_of_surrogates() -> None:
    assert json_text({"a": "\U000e0041"}, indent=1) == '{\n "a": "\\udb40\\udc41"\n}'


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    text = "92 % of 0.5 s, 3 frames in 20 ms (10 kB); of 5 s."
    found = unbroken(text)
    assert found == "92\xa0% of 0.5\xa0s, 3 frames in 20\xa0ms (10\xa0kB); of 5\xa0s."
    for name in ("10 s.mp4", "clip 5 spins", "a % b", "10 %.mp4"):
        assert unbroken(name) == name
