"""The command with wrong arguments, bad clips and folders it must not write: one line each."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.command import (
    BUNDLED,
    Run,
    assert_one_error_line,
    records_in,
    results_in,
)
from tests.support.media import cut_file, flip_bits, moving_texture, write_clip, write_sound
from video_cam.rendering.result_folder import SUMMARY_FILE, replace_folder
from video_cam.utils.text import unbroken


def write_empty(path: Path) -> None:
    path.touch()


def write_truncated(path: Path) -> None:
    write_clip(path, 30)
    cut_file(path, 0.3)  # the index is at the end: nothing decodes


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_empty, "empty"),
        (lambda path: path.write_text("hello"), "bad.mp4"),
        (lambda path: write_sound(path), "only audio"),
        (write_truncated, "bad.mp4"),
    ],
    ids=["empty", "text", "audio only", "truncated"],
)
def test_a_clip_that_cannot_be_used(write, words: str, run: Run, out: Path, tmp_path: Path) -> None:
    write(tmp_path / "bad.mp4")
    status, _, err = run("--clip", tmp_path / "bad.mp4", *BUNDLED)
    assert_one_error_line(status, err, 1, words)
    assert results_in(out) == []


def test_a_clip_that_takes_too_much_memory(run: Run, out: Path, sample_clip: Path) -> None:
    status, _, err = run("--clip", sample_clip, *BUNDLED, "--max-memory", "1M")
    assert_one_error_line(status, err, 1, "--max-memory is less than the ")
    assert str(sample_clip) in err and "--max-memory" in err and results_in(out) == []


def test_a_damaged_clip_is_told_and_strict_refuses_it(run: Run, out: Path, tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    write_clip(clip, moving_texture(20), codec="mpeg4", options={"g": "12"})
    flip_bits(clip, [5])
    words = ("--clip", clip, *BUNDLED, "--no-check", "--align", "half-pixel")
    place = "1 corrupt frame, frame 5 at 0.20 s"
    assert run(*words)[0] == 0
    summary = json.loads((out / "a" / "summary.json").read_text())
    assert (summary["damage"]["corrupt_frames"], summary["damage"]["missing_frames"]) == (1, 0)
    assert summary["damage"]["first_corrupt_frame"] == 5
    [record] = records_in(out)
    for notes in (summary["notes"], record["notes"]):
        assert any(n["text"].startswith(place) and n["kind"] == "warning" for n in notes)
    assert json.dumps(unbroken(place))[1:-1] in (out / "index.html").read_text()
    assert unbroken(place) in (out / "a" / "index.html").read_text()
    status, _, err = run(*words, "--strict")
    assert_one_error_line(status, err, 1, place)
    assert str(clip) in err and results_in(out) == ["a"]  # the results from before are kept


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--layer", "layer9"], "unknown layer 'layer9': did you mean layer"),
        (["--method", "grad-cam"], "did you mean gradcam"),
        (["--colormap", "jett"], "did you mean jet?"),
        (["--class-id", "dash lft"], "did you mean dash left"),
        (["--class-id", "9"], "outside 0 ... 8"),
        (["--layout", "grid"], "overlay, side-by-side, strip"),
        (["--normalize", "clip"], "video, window, frame"),
        (["--alpha", "2"], "alpha 2.0 must lie between 0 and 1"),
        (["--max-keyframes", "-1"], "max_keyframes -1 must be 1 or more, or 0 for all"),
        (["--start", "100"], "the clip runs from"),
        (["--weights", "nowhere.pth"], "no such weights file: 'nowhere.pth'; for motion3d give"),
        (["--weights", "folder/none_here"], "no such weights file: 'folder/none_here'"),
        (["--weights", "DRAWN"], "unknown weights 'DRAWN': for motion3d give DRAWN_MOTION_V1"),
        (["--labels", "nowhere.txt"], "No such file"),
        (["--device", "abacus"], "device 'abacus' cannot be used; there are cpu"),
        (["--device", "cuda:99"], "device 'cuda:99' cannot be used; there are cpu"),
        (["--align", "centre"], "receptive-field, probe, half-pixel, corners, nearest"),
        (["--top-k", "0"], "top_k 0 must be above 0"),
        (["--num-frames", "100000000"], "num_frames 100000000 must be at most 10000"),
        (["--n-images", "0"], "--n-images 0 must be 1 or more"),
        (["--target", "nowhere.py:f"], "no such file: 'nowhere.py'"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_argument(
    arguments: list[str], words: str, run: Run, out: Path, sample_clip: Path
) -> None:
    status, _, err = run("--clip", sample_clip, *BUNDLED, *arguments)
    assert_one_error_line(status, err, 2, words)
    assert results_in(out) == []


def test_a_wrong_argument_with_several_clips(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    """The worker process finds it, and the command ends with the status of wrong arguments."""
    other = shutil.copy(sample_clip, tmp_path / "other.mp4")
    status, _, err = run("--clip", sample_clip, other, *BUNDLED, "--class-id", "9")
    assert_one_error_line(status, err, 2, "outside 0 ... 8")
    assert results_in(out) == []


RAISES_ON_FRAMES = """
from torch import nn

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv3d(3, 4, 3, padding=1), nn.Linear(4, 2)

    def forward(self, x):
        if x.device.type != "meta" and x.any():
            raise ValueError("not\\ntoday")
        return self.fc(self.conv(x).mean((2, 3, 4)))
"""


def test_a_network_that_raises_on_real_frames(run: Run, sample_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "network.py").write_text(RAISES_ON_FRAMES)
    words = ("--model", f"{tmp_path}/network.py:Network", "--num-frames", 4, "--size", 16)
    status, _, err = run("--clip", sample_clip, *words, "--align", "half-pixel")
    assert status == 1 and err.count("\n") == 1
    assert f"{sample_clip}: ValueError: not today (--debug shows where)" in err
    with pytest.raises(ValueError, match="not"):
        run("--clip", sample_clip, *words, "--align", "half-pixel", "--debug")


def test_an_unknown_model(run: Run, sample_clip: Path) -> None:
    status, _, err = run("--clip", sample_clip, "--model", "r3d18")
    assert_one_error_line(status, err, 2, "did you mean r3d_18")


def test_labels_of_the_wrong_number(run: Run, sample_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a\nb\n")
    status, _, err = run("--clip", sample_clip, *BUNDLED, "--labels", tmp_path / "names.txt")
    assert_one_error_line(status, err, 2, "has 2 names, the network has 9 classes")


@pytest.mark.parametrize("name", ["missing.mp4", "empty", "*.mkv"])
def test_a_clip_that_does_not_exist(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, _, err = run("--clip", tmp_path / name, *BUNDLED)
    assert_one_error_line(status, err, 2, name)


def test_no_clip_at_all(run: Run) -> None:
    status, _, err = run()
    assert_one_error_line(status, err, 2, "no clip was given: add --clip PATH")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(run: Run, out: Path, sample_clip: Path) -> None:
    out.mkdir(mode=0o500)
    status, _, err = run("--clip", sample_clip, *BUNDLED)
    assert_one_error_line(status, err, 2, "cannot write to")


def test_an_output_folder_that_is_a_file(run: Run, out: Path, sample_clip: Path) -> None:
    out.touch()
    status, _, err = run("--clip", sample_clip, *BUNDLED)
    assert_one_error_line(status, err, 2, "cannot write to")


def test_other_folders_are_not_replaced(run: Run, out: Path, sample_clip: Path) -> None:
    (out / sample_clip.stem).mkdir(parents=True)
    (out / sample_clip.stem / "thesis.tex").touch()
    status, _, err = run("--clip", sample_clip, *BUNDLED, "--overwrite")
    assert_one_error_line(status, err, 2, "holds no results of video_cam")
    assert [p.name for p in (out / sample_clip.stem).iterdir()] == ["thesis.tex"]


def test_any_command_removes_what_a_killed_run_left(run: Run, out: Path, sample_clip: Path) -> None:
    with replace_folder(out / "another clip") as partial:
        (partial / SUMMARY_FILE).touch()
    partial.mkdir()  # as if the process had been killed before it took its name
    assert run("--clip", sample_clip, "--model", "r3d18")[0] == 2
    assert not partial.exists() and results_in(out) == ["another clip"]


def test_limits_of_the_command(run: Run, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "v.mp4", 5)
    status, _, err = run("--clip", clip, *BUNDLED, "--max-frames", 4)
    assert_one_error_line(status, err, 1, "more than 4 frames")
    status, _, err = run("--clip", clip, *BUNDLED, "--max-pixels", 64)
    assert_one_error_line(status, err, 1, "more than 64 pixels")


@pytest.mark.parametrize("word", ["{clip}", "https://example.org/v.mp4", "rtsp://camera/1"])
def test_a_clip_without_its_option(word: str, run: Run, sample_clip: Path) -> None:
    word = word.format(clip=sample_clip)
    status, _, err = run(word, *BUNDLED)
    assert_one_error_line(status, err, 2, f"clips are given with --clip {word}")


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("https://example.org/v.mp4", "'https://example.org/v.mp4' is an address on the web"),
        ("rtsp://camera/1", "'rtsp://camera/1' is a live stream"),
        ("-", "'-' is standard input"),
        ("0", "'0' is a camera"),
    ],
)
def test_what_is_no_clip(word: str, words: str, run: Run) -> None:
    status, _, err = run("--clip", word, *BUNDLED)
    assert_one_error_line(status, err, 2, words)
