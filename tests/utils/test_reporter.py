"""A reporter that says nothing."""

from __future__ import annotations

import pytest

from video_cam.utils.reporter import Reporter, SilentReporter


def test_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    reporter: Reporter = SilentReporter()
    reporter.info("an info")
    reporter.warning("a warning")
    reporter.error("an error")
    reporter.event("clip", clip="a.mp4")
    with reporter.progress("explain", 2) as step:
        step(2)
    assert not reporter.as_json
    assert capsys.readouterr() == ("", "")
