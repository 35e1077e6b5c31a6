"""The texts that a clip is compared with, as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from video_cam import UsageError
from video_cam.text_config import MAX_LETTERS, TextConfig, make_text_config


def test_white_space_is_tidied_and_one_text_needs_no_list() -> None:
    texts = TextConfig(" a  red\tcar\n", text_negative=["Something else "])
    assert texts.text == ("a red car",)
    assert texts.labels == ("a red car", "Something else")


def test_templates_are_filled_without_reading_what_the_text_says() -> None:
    texts = TextConfig(["{} of {0}", "cup"], ["a {}.", "{}"], ["rest"])
    assert texts.sentences(["unused {}"]) == [
        ["a {} of {0}.", "{} of {0}"],
        ["a cup.", "cup"],
        ["a rest.", "rest"],
    ]
    assert TextConfig("cup").sentences(["own {}"]) == [["own cup"]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"text": []}, "text names nothing"),
        ({"text": ["cup", " \t"]}, r"text ' \\t' has no words"),
        ({"text": ["cup"], "text_negative": [""]}, "text_negative '' has no words"),
        ({"text": ["Cup", "cup "]}, "text 'cup' is given twice"),
        ({"text": ["cup"], "text_negative": ["CUP"]}, "text 'CUP' is given twice"),
        ({"text": ["cup"], "text_template": ["a photo"]}, "'a photo' must have {} once"),
        ({"text": ["cup"], "text_template": ["{} and {}"]}, "must have {} once"),
        ({"text": [3]}, "must be a list, each of it a text"),
        ({"text": ["x" * (MAX_LETTERS + 1)]}, f"has {MAX_LETTERS + 1} letters"),
    ],
)
def test_what_is_no_text(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        TextConfig(**values)
    assert expected.replace("\\\\", "\\") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_or_a_negative_text_needs_a_text() -> None:
    assert make_text_config(None, (), None) is None
    with pytest.raises(UsageError, match=r"text_template .a \{\}. needs a text: give --text"):
        make_text_config(None, "a {}", ())
    with pytest.raises(UsageError, match="text_negative 'rest' needs a text"):
        make_text_config(None, (), "rest")
