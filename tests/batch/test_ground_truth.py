"""Ground truth from the command: class folders, files, lists, and everything that is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.command import BUNDLED, Run, assert_one_error_line, results_in
from video_cam.batch.ground_truth import find_truth
from video_cam.batch.inputs import find_clips, folder_names, relative_names
from video_cam.batch.verify import Counts, verify
from video_cam.config import LimitsConfig
from video_cam.errors import UsageError
from video_cam.truth.clip_truth import ClipTruth

QUICK = (*BUNDLED, "--detail", "none", "--no-check", "--max-keyframes", "1", "--align", "nearest")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Empty files in class folders."""
    for name in ("spin/a.mp4", "spin/b.mp4", "dash_up/a.mp4", "top.mp4", ".hidden/x.mp4"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for number in range(3):
        frame = tmp_path / "in" / "grow" / "frames" / f"{number:03d}.png"
        frame.parent.mkdir(parents=True, exist_ok=True)
        frame.write_bytes(b"")
    return tmp_path / "in"


def names_in(folder: Path) -> dict[str, str]:
    """Clip from the folder -> the name of the folder for its results."""
    clips = list(find_clips([str(folder)], recursive=True))
    relative = relative_names([str(folder)], clips)
    names = folder_names(clips, relative=relative)
    return {str(clip.relative_to(folder)): name for clip, name in zip(clips, names, strict=True)}


def test_folders_are_read_with_all_folders_in_them(folders: Path) -> None:
    assert names_in(folders) == {
        "dash_up/a.mp4": "dash_up/a",
        "grow/frames": "grow/frames",
        "spin/a.mp4": "spin/a",
        "spin/b.mp4": "spin/b",
        "top.mp4": "top",
    }
    (folders.parent / "empty" / "more").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds clips"):
        find_clips([str(folders.parent / "empty")], recursive=True)


def test_a_name_that_holds_other_results_gets_its_id(folders: Path) -> None:
    shutil.copy(folders / "top.mp4", folders / "spin.mp4")
    shutil.copy(folders / "top.mp4", folders / "results.csv.mp4")
    (folders / "index.html").mkdir()
    shutil.copy(folders / "top.mp4", folders / "index.html" / "c.mp4")
    names = names_in(folders)
    assert names["spin/a.mp4"] == "spin/a" and names["spin.mp4"].startswith("spin-")
    assert names["results.csv.mp4"].startswith("results.csv-")
    assert names["index.html/c.mp4"].startswith("c-")  # the run's own file has this name
    clips = list(find_clips([str(folders)], recursive=True))
    relative = relative_names([str(folders)], clips)
    owned = folder_names(clips, lambda name: "other" if name == "spin" else None, relative)
    assert not any(name.startswith("spin/") for name in owned)


def test_classes_of_folders_and_of_a_list(folders: Path) -> None:
    clips = list(find_clips([str(folders)], recursive=True))
    truth = find_truth(["folders"], [str(folders)], clips, LimitsConfig(), None)
    assert {clip.name: one.class_name for clip, one in truth.truths.items()} == {
        "a.mp4": "spin",
        "b.mp4": "spin",
        "frames": "grow",
        "top.mp4": "in",
    }
    listed = folders / "list.csv"
    listed.write_text("clip,class,truth\nspin/a.mp4,grow,spin\nspin/b.mp4,,\n")
    clips = list(find_clips([str(listed)]))
    truth = find_truth([], [str(listed)], clips, LimitsConfig(), None)
    assert truth.truths == {folders / "spin/a.mp4": ClipTruth("spin")}
    listed.write_text("clip,class\nspin/a.mp4,grow\n")
    assert find_truth([], [str(listed)], clips, LimitsConfig(), None).check is None


def test_everything_that_is_wrong_is_named_in_one_line(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    table = tmp_path / "truth.csv"
    table.write_text(
        "clip,truth,start,end,frame,left,top,right,bottom\n"
        f"{sample_clip.name},dash rigth,0.5,99,,,,,\n"
        f"{sample_clip.name},,,,500,0,0,9999,5\n"
        "nobody.mp4,spin,,,,,,,\n"
        f"{sample_clip.name},,3,1,,,,,\n"
    )
    status, _, err = run("--clip", sample_clip, "--truth", table, *QUICK)
    assert_one_error_line(status, err, 2, "unknown class 'dash rigth' (1 clip: ")
    for words in (
        "did you mean dash right",
        "truth.csv line 4: no clip 'nobody.mp4'",
        "truth.csv line 5: span 3 to 1 s: expected 0 <= start < end",
        "span 0.5 to 99 s: the clip ends at ",
        "frame 500: the clip has ",
        "box 0 0 9999 5 in frame 500",
    ):
        assert words in err
    assert results_in(out) == []


def test_truth_is_added_to_results_without_computing_them_again(
    run: Run, out: Path, sample_clip: Path, tmp_path: Path
) -> None:
    words = ("--clip", sample_clip, *QUICK)
    assert run(*words)[0] == 0
    summary = out / sample_clip.stem / "summary.json"
    before = json.loads(summary.read_text())
    assert "truth" not in before
    table = tmp_path / "truth.csv"
    table.write_text(f"clip,truth,start,end\n{sample_clip.stem},Dash_Right,0.5,1\nx,spin,,\n")
    status, printed, err = run(*words, "--truth", table)
    assert status == 0 and "finished before" in printed
    assert err == "warning: ground truth: truth.csv line 3: no clip 'x'\n"
    assert (
        "accuracy 100.0 %: 1 of 1 right" in printed and "of the heat lies on the event" in printed
    )
    after = json.loads(summary.read_text())
    assert after["truth"]["correct"] is True and after["truth"]["measures"]["temporal_iou"] >= 0
    assert {key: after[key] for key in before} == before
    stamp = summary.stat().st_mtime_ns
    assert run(*words, "--truth", table)[0] == 0 and summary.stat().st_mtime_ns == stamp
    assert list(verify(out, Counts())) == []
