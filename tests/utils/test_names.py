"""Unknown names are refused with suggestions; paths are printed on one line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from video_cam.errors import UsageError
from video_cam.utils.names import as_tuple, check_names, nearest, printable_path


def test_known_names_pass_and_the_first_unknown_one_is_named() -> None:
    check_names("method", ["gradcam", "cam"], iter(["cam", "gradcam"]))
    with pytest.raises(UsageError, match="unknown method 'gradcan': did you mean gradcam"):
        check_names("method", ["cam", "gradcan", "x"], ["cam", "gradcam"])


def test_without_a_similar_name_the_choices_are_listed() -> None:
    assert nearest("zzz", ["one", "two"]) == "choose one of one, two"
    assert nearest("zzz", [f"a{i}" for i in range(13)]).endswith("a11, ...")


def test_long_names_are_compared_in_no_time_and_shown_in_part() -> None:
    known = ["ab" * 5000 + str(i) for i in range(50)]
    began = time.perf_counter()
    assert len(nearest("ba" * 5000, known)) < 700
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [("gradcam", ("gradcam",)), (3, (3,)), (["a", 1], ("a", 1)), ((), ()), (range(2), (0, 1))],
)
def test_one_value_stands_for_a_tuple_of_one(value, expected) -> None:
    assert as_tuple(value) == expected


@pytest.mark.parametrize(
    ("path", "printed"),
    [
        ("plain.mp4", "plain.mp4"),
        (Path("a") / "Zürich 日本.mp4", "a/Zürich 日本.mp4"),
        ("two\nlines.mp4", r"'two\nlines.mp4'"),
        ("\x1b[31mred.mp4", r"'\x1b[31mred.mp4'"),
    ],
)
def test_a_path_is_printed_on_one_line(path, printed) -> None:
    assert printable_path(path) == printed
