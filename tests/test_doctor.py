"""The report for reports of faults."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from video_cam import doctor


def test_the_report_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main() == 0
    said = capsys.readouterr().out
    assert f"  torch {version('torch')}\n" in said
    assert "reads: h264," in said and "MISSING" not in said and "GiB free" in said
    assert f"passed: drew {doctor.ACTION!r}" in said


def test_what_is_broken_is_told_and_the_rest_goes_on(monkeypatch, capsys) -> None:
    def broken():
        yield "so far so good"
        raise OSError("no such library")

    monkeypatch.setattr(doctor, "SECTIONS", {"broken": broken, "disk": doctor._disk})
    assert doctor.main() == 1
    said = capsys.readouterr().out
    assert "  so far so good\n  FAILED: OSError: no such library\ndisk:\n" in said
