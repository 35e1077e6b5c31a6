"""What is printed, on which stream, and in which form."""

from __future__ import annotations

import io
import json
import os
import sys
from itertools import pairwise

import pytest

from tests.support.hostile import TEXTS
from video_cam.cli import console as console_module
from video_cam.cli.console import Console


def use(console: Console) -> None:
    """Every kind of message once."""
    console.info("an info")
    console.warning("a warning")
    console.error("an error")
    console.event("clip", clip="a.mp4")
    with console.progress("explain", 2) as step:
        step(2)


ERRORS = "warning: a warning\nerror: an error\n"


def test_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    use(Console())
    assert capsys.readouterr() == ("an info\n", ERRORS)


def test_quiet_prints_warnings_and_errors_only(capsys: pytest.CaptureFixture[str]) -> None:
    use(Console(quiet=True))
    assert capsys.readouterr() == ("", ERRORS)


def test_json_lines_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    use(Console(as_json=True))
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [
        {"event": "message", "text": "an info"},
        {"event": "clip", "clip": "a.mp4"},
        {"event": "progress", "stage": "explain", "done": 2, "total": 2},
    ]
    assert err == ERRORS


def test_progress_events_are_some_time_apart_and_the_last_one_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter(range(100, 200))  # tenths of a second
    monkeypatch.setattr(console_module.time, "monotonic", lambda: next(now) / 10)
    with Console(as_json=True).progress("render", 21) as step:
        for _ in range(21):
            step(1)
    done = [json.loads(line)["done"] for line in capsys.readouterr().out.splitlines()]
    assert done[0] == 1 and done[-1] == 21 and 3 <= len(done) <= 6
    assert all(after - before >= 4 for before, after in pairwise(done[:-1]))


def test_output_that_nobody_reads_is_dropped(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    monkeypatch.setattr(sys, "stdout", os.fdopen(writing, "w"))
    console = Console(as_json=True)
    assert console.has_reader
    use(console)
    assert not console.has_reader
    sys.stdout.write("more")
    sys.stdout.close()
    assert capfd.readouterr().err == ERRORS


def test_errors_that_nobody_reads_are_dropped(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    use(Console())
    assert capsys.readouterr().out == "an info\n"


def test_without_a_stdout_nothing_is_printed(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    use(Console())
    assert capsys.readouterr().err == ERRORS


def test_characters_that_the_terminal_lacks_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    Console().info("é\udce9.mp4")  # a file name with the byte E9, which is not UTF-8
    stream.flush()
    assert stream.buffer.getvalue() == b"\\xe9\\udce9.mp4\n"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_hostile_text_is_one_harmless_line(
    text: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    Console().info(text)
    Console().line(text)
    Console(as_json=True).event("clip", label=text)
    Console().warning(text)
    Console().error(text)
    printed = [stream.buffer.getvalue().decode(encoding) for stream in (out, err)]
    shown = [line.replace("\u200c", "").replace("\u200d", "") for line in printed]
    assert [text.count("\n") for text in shown] == [3, 2]
    assert all(line.isprintable() for text in shown for line in text.split("\n"))
    assert json.loads(printed[0].splitlines()[2]) == {"event": "clip", "label": text}
