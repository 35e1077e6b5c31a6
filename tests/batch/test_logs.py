"""The package's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.support.hostile import TEXTS
from video_cam.batch.logs import set_up_logging
from video_cam.video import ffmpeg_log


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The package's logger, afterwards as before."""
    logger = logging.getLogger("video_cam")
    before = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:], logger.level = before


def test_the_log_goes_to_stderr_once_from_its_level_on(logger, capsys) -> None:
    set_up_logging("info")
    set_up_logging("warning")
    logger.info("an info")
    logging.getLogger("video_cam.batch").warning("a warning")
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.endswith(" WARNING video_cam.batch: a warning\n")


@pytest.mark.parametrize(("level", "shown"), [("debug", True), ("info", False)])
def test_debugging_shows_the_log_of_ffmpeg(level: str, shown: bool, logger, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(ffmpeg_log, "show_ffmpeg_log", lambda: calls.append(True))
    set_up_logging(level)
    assert bool(calls) == shown


def test_names_from_files_are_data_in_the_log(logger, capsys) -> None:
    set_up_logging("info")
    name = TEXTS["terminal escape"] + TEXTS["newline"] + TEXTS["direction"]
    try:
        raise ValueError(name)
    except ValueError:
        logger.info("%s", name, exc_info=True)
    lines = capsys.readouterr().err.splitlines()
    assert all(line.isprintable() for line in lines)
    assert r"INFO video_cam: \x1b[31mred\x1b]0;title\x07a\nerror: forged\u202egpj" in lines[0]
    # The traceback keeps its lines; the newline of the message is one of them.
    assert lines[1].startswith("Traceback") and lines[-2].startswith(r"ValueError: \x1b[31mred")
