"""JSON from unknown sources: values of the expected kind, or a ValueError of one line."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest

from video_cam.utils.strict_json import Entry, checked, parse_json


@dataclass(frozen=True)
class Rate:
    name: str
    rate: Fraction
    most: float | None = None


@dataclass(frozen=True)
class Passed:
    entries: dict[str, Entry]


def test_values_come_back() -> None:
    text = '{"name": "a\\udce9", "rate": "30000/1001", "most": 1e3, "more": [1, -2.5, null]}'
    value = parse_json(text)
    assert value["more"] == [1, -2.5, None]
    assert checked(value, Rate) == Rate("a\udce9", Fraction(30000, 1001), 1000.0)
    for rate in (8, 7.5):  # as a caller's number is written
        assert checked({"name": "a", "rate": rate}, Rate).rate == Fraction(rate)
    rows = {"a": [{"b": 1}, [2.5, None]], "c": {"d": [True]}}
    assert checked({"entries": rows}, Passed).entries == rows


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        b"\xff",
        "NaN",
        "[-Infinity]",
        "1e999",
        "9" * 10_000,
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=lambda text: repr(text[:10]),
)
def test_other_text_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 1},
        {"name": None},
        {"rate": True},
        {"rate": None},
        {"rate": 10**19},
        {"rate": "1/0"},
        {"rate": "-1/2"},
        {"rate": "1e999999999"},
        {"rate": "9" * 30},
        {"most": "3"},
        {"most": 10**400},
        {"most": True},
    ],
    ids=str,
)
def test_values_of_another_kind_are_a_value_error_of_one_line(changes) -> None:
    with pytest.raises(ValueError) as caught:
        checked({"name": "a", "rate": "25"} | changes, Rate)
    assert len(str(caught.value).splitlines()) == 1


def test_entries_that_are_passed_on_are_limited_in_depth() -> None:
    with pytest.raises(ValueError):
        checked({"entries": {"a": [{"b": [1]}]}}, Passed)
