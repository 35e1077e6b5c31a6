"""The package's log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

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
