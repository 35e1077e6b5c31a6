"""The report on the installation."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from video_cam import doctor


def test_the_report_lists_versions_codecs_and_the_self_test(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert doctor.main() == 0
    said = capsys.readouterr().out
    assert f"  torch {version('torch')}\n" in said
    assert "reads: h264," in said and "MISSING" not in said and "GiB free" in said
    assert f"passed: drew {doctor.ACTION!r}" in said


def test_a_codec_that_ffmpeg_lacks_is_marked() -> None:
    assert doctor._available(("h264", "nonsense"), "r") == "h264, nonsense MISSING"


def test_a_section_that_fails_is_reported_and_the_others_follow(monkeypatch, capsys) -> None:
    def broken():
        yield "a first line"
        raise OSError("no such library")

    monkeypatch.setattr(doctor, "SECTIONS", {"broken": broken, "disk": doctor._disk})
    assert doctor.main() == 1
    said = capsys.readouterr().out
    assert "  a first line\n  FAILED: OSError: no such library\ndisk:\n" in said


def test_another_prediction_fails_the_self_test(monkeypatch, capsys) -> None:
    monkeypatch.setattr(doctor, "ACTION", "grow")
    monkeypatch.setattr(doctor, "SEED", 1)
    from models3d import drawn_clips

    draw = drawn_clips.draw_clip
    monkeypatch.setattr(drawn_clips, "draw_clip", lambda seed, class_id: draw(seed, class_id=0))
    monkeypatch.setattr(doctor, "SECTIONS", {"self-test": doctor._self_test})
    assert doctor.main() == 1
    assert "FAILED: VideoCamError: drew 'grow', but motion3d predicted '" in capsys.readouterr().out
