"""An error is shown as one line."""

from __future__ import annotations

import pytest

from video_cam.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n  one  \n"), "one"),
        (ValueError(), "ValueError"),
        (KeyError("key"), "'key'"),
    ],
)
def test_the_first_line_of_an_error(error, line) -> None:
    assert first_line(error) == line
