"""Progress is shown in a terminal only."""

from __future__ import annotations

import io
import sys

import pytest

from video_cam.utils.progress import bar, silent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "is_shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_bar_is_shown_in_a_terminal_only(stream, is_shown, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with bar("render", 4) as step:
        step(3)
        step(1)
    assert ("render" in stream.getvalue()) == is_shown


def test_silence(capfd) -> None:
    with silent("render", 2) as step:
        step(2)
    assert capfd.readouterr() == ("", "")
