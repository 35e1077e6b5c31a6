"""The command ``verify``: its lines and its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

import run_video_cam
from tests.support.command import BUNDLED, Run, assert_one_error_line
from tests.support.media import write_clip


def test_a_run_is_verified_and_damage_is_told(run: Run, out: Path, tmp_path: Path, capsys) -> None:
    clip = write_clip(tmp_path / "small.mp4", 4)
    status, _, _ = run("--clip", clip, *BUNDLED, "--max-keyframes", "1", "--no-check")
    assert status == 0

    def verified(*words: str) -> tuple[int, list[str], list[str]]:
        status = run_video_cam.main(["verify", *words, str(out)])
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    status, said, errors = verified()
    assert (status, errors) == (0, [])
    assert said[0].startswith("1 clip, ") and said[0].endswith(
        "files: all are as they were written"
    )
    assert verified("--quiet") == (0, [], [])
    (out / "small" / "annotated.mp4").write_bytes(b"")
    (out / "small" / "more\n.txt").touch()
    status, said, errors = verified()
    assert (status, said, len(errors)) == (1, [], 3)
    assert errors[0].startswith(f"error: {out / 'small' / 'annotated.mp4'}: is damaged: it has 0 ")
    shown = repr(str(out / "small" / "more\n.txt"))
    assert errors[1] == f"error: {shown}: is not of video_cam"
    assert errors[2].endswith(": 2 faults")


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("missing", "no such folder: "),
        ("", "holds no results of video_cam"),
        ("s3://bucket/results", "is an address, and verify reads folders"),
    ],
)
def test_a_wrong_folder_is_a_wrong_argument(folder: str, words: str, tmp_path, capsys) -> None:
    shown = folder if "://" in folder else str(tmp_path / folder)
    status = run_video_cam.main(["verify", shown])
    assert_one_error_line(status, capsys.readouterr().err, 2, words)


def test_help_says_what_it_does(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        run_video_cam.main(["verify", "--help"])
    assert "Exit status: 0 all files are as they were written" in " ".join(
        capsys.readouterr().out.split()
    )
    with pytest.raises(SystemExit, match="2"):
        run_video_cam.main(["verify"])
