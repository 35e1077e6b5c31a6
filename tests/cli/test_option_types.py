"""Text of the command line to numbers."""

from __future__ import annotations

from argparse import ArgumentTypeError
from fractions import Fraction

import pytest

from video_cam.cli.option_types import (
    choices,
    choices_in_words,
    frame_rate,
    memory_size,
    positive_seconds,
    shard,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("15", Fraction(15)), ("29.97", Fraction(2997, 100)), ("30000/1001", Fraction(30000, 1001))],
)
def test_a_frame_rate_is_exact(text: str, value: Fraction) -> None:
    assert frame_rate(text) == value


def test_seconds_and_shards() -> None:
    assert positive_seconds("0.5") == 0.5
    assert shard("2/8") == (2, 8)
    assert shard("8/8") == (8, 8)


def test_sizes_of_memory() -> None:
    assert memory_size("800M") == 800 * 2**20
    assert memory_size("1.5g") == 3 * 2**29


@pytest.mark.parametrize("text", ["", "G", "8", "0G", "-1G", "nanG", "infM", "8T"])
def test_no_size_of_memory(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a size of memory: give 800M or 6G"):
        memory_size(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "soon"])
def test_no_number_of_seconds(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="above 0"):
        positive_seconds(text)


@pytest.mark.parametrize("text", ["", "2", "0/8", "9/8", "-1/8", "1/x", "1/2/3"])
def test_no_shard(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="must be I/N"):
        shard(text)


def test_choices() -> None:
    assert choices(["a", "b", "c"]) == "a|b|c"
    assert choices_in_words(["a", "b", "c"]) == "a, b or c"
