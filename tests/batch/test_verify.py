"""Results are read again: what was changed is named, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.explanations import make_explanation
from video_cam import Explanation, UsageError
from video_cam.batch.jobs import ClipRecord
from video_cam.batch.results_file import RESULTS, append_records
from video_cam.batch.verify import Counts, verify
from video_cam.rendering.contents import describe_contents
from video_cam.rendering.result_folder import INDEX_DATA, SUMMARY_FILE
from video_cam.utils.files import sha256_of

SPIN = {"class_id": 1, "label": "spin", "score": 0.9, "shown": "90%"}


def write_summary(folder: Path, path: str = "clip.mp4") -> None:
    """A summary of what is in the folder now."""
    (folder / SUMMARY_FILE).unlink(missing_ok=True)
    clip = {"path": path, "duration_seconds": 0.6}
    summary = {"clip": clip, "predictions": [SPIN], "targets": [SPIN]}
    summary["contents"] = describe_contents(folder)
    (folder / SUMMARY_FILE).write_text(json.dumps(summary))


def write_clip_folder(folder: Path, explanation: Explanation | None = None) -> None:
    (folder / "page").mkdir(parents=True)
    (folder / "annotated.mp4").write_bytes(b"a video")
    (folder / "page" / "app.js").write_bytes(b"a script")
    (explanation or make_explanation()).save(folder / "explanation.npz")
    write_summary(folder)


def record(root: Path, name: str) -> None:
    sha256 = sha256_of(root / name / SUMMARY_FILE)
    done = ClipRecord(f"{name}.mp4", name, "done", prediction=SPIN, summary_sha256=sha256)
    append_records(root / RESULTS, [done.as_json()])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The output folder of a run over two clips."""
    root = tmp_path / "out"
    for name in ("a", "b"):
        write_clip_folder(root / name)
        record(root, name)
    append_records(root / RESULTS, [ClipRecord("c.mp4", None, "failed", error="bad").as_json()])
    (root / "index.html").write_text("all clips")
    (root / INDEX_DATA / "0123456789abcdef").mkdir(parents=True)
    (root / INDEX_DATA / "0123456789abcdef" / "rows-0.js").touch()
    (root / ".locks").mkdir()
    return root


def faults(root: Path) -> dict[str, str]:
    """Relative path -> problem."""
    return {str(f.path.relative_to(root)): f.problem for f in verify(root, Counts())}


def test_nothing_is_wrong_with_what_was_just_written(out: Path, results: Path) -> None:
    counts = Counts()
    assert list(verify(out, counts)) == []
    assert counts == Counts(clips=2, files=8)
    before = sorted(out.rglob("*"))
    assert faults(out / "a") == faults(results) == {}
    assert sorted(out.rglob("*")) == before


DAMAGE: list[tuple[Callable[[Path], object], str, str]] = [
    (lambda out: (out / "a/annotated.mp4").unlink(), "a/annotated.mp4", "is missing"),
    (lambda out: shutil.rmtree(out / "a/page"), "a/page/app.js", "is missing"),
    (lambda out: (out / "a/annotated.mp4").write_bytes(b""), "a/annotated.mp4", "has 0 bytes, 7"),
    (lambda out: (out / "a/annotated.mp4").write_bytes(b"a vidEo"), "a/annotated.mp4", "SHA-256"),
    (lambda out: (out / "a/page/more.js").touch(), "a/page/more.js", "is not of video_cam"),
    (lambda out: (out / "a/more").mkdir(), "a/more", "is not of video_cam"),
    (lambda out: (out / "a" / SUMMARY_FILE).unlink(), f"a/{SUMMARY_FILE}", "is missing"),
    (
        lambda out: (out / "a" / SUMMARY_FILE).write_text("[" * 10**5),
        f"a/{SUMMARY_FILE}",
        "is damaged: the JSON text is nested too deeply",
    ),
    (lambda out: shutil.rmtree(out / "a"), "a", "is missing, and results.jsonl has its clip"),
    (lambda out: (out / "thesis.tex").touch(), "thesis.tex", "is not of video_cam"),
    (lambda out: (out / ".0a.partial").mkdir(), ".0a.partial", "is left from a run"),
    (lambda out: (out / RESULTS).unlink(), RESULTS, "is missing"),
    (
        lambda out: append_records(out / RESULTS, [{"clip": 3}]),
        RESULTS,
        "line 4 is damaged",
    ),
    (
        lambda out: write_summary(out / "a", "other.mp4"),
        f"a/{SUMMARY_FILE}",
        "is not the one that results.jsonl records",
    ),
]


@pytest.mark.parametrize(("damage", "path", "problem"), DAMAGE, ids=range(len(DAMAGE)))
def test_damaged_missing_and_foreign_files_are_named(out: Path, damage, path, problem) -> None:
    damage(out)
    found = faults(out)
    assert problem in found.pop(path)
    # A summary of another clip is not one of the explanation beside it.
    assert set(found) <= {"a/explanation.npz"} and bool(found) == ("records" in problem)


def replaced(path: Path, kind: str) -> None:
    """Something else in the place of a file."""
    content = path.read_bytes()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.with_suffix(".original").write_bytes(content)
        path.symlink_to(path.with_suffix(".original"))


@pytest.mark.parametrize("name", ["annotated.mp4", "summary.json", "explanation.npz"])
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_not_waited_for(out: Path, name: str, kind: str) -> None:
    replaced(out / "a" / name, kind)
    assert "cannot be read" in faults(out / "a")[name] or kind == "folder"
    assert name in faults(out / "a")


def test_links_are_not_followed(out: Path) -> None:
    replaced(out / "a/annotated.mp4", "link")
    (out / "a/page/up").symlink_to(out)
    assert faults(out / "a") == {
        "annotated.mp4": "is a link, and a file was written",
        "annotated.original": "is not of video_cam",
        "page/up": "is not of video_cam",
    }


def test_an_explanation_that_was_wrong_when_it_was_written(tmp_path: Path) -> None:
    wrong = make_explanation(num_padded=np.array([0, 9]))
    write_clip_folder(tmp_path / "a", wrong)
    [problem] = faults(tmp_path / "a").values()
    assert "is not an explanation, or is damaged (the numbers of padded frames" in problem


def test_results_of_an_older_version_have_no_digests(out: Path) -> None:
    path = out / "a" / SUMMARY_FILE
    summary = json.loads(path.read_text())
    del summary["contents"]
    path.write_text(json.dumps(summary))
    assert faults(out / "a") == {
        SUMMARY_FILE: "has no digests, as an older version wrote it: run again"
    }


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds no results of video_cam"):
        verify(tmp_path, Counts())
    with pytest.raises(UsageError, match="no such folder"):
        verify(tmp_path / "thesis.tex", Counts())


def test_results_in_class_folders_are_read_too(out: Path) -> None:
    for name in ("spin/a", "spin/more/b"):
        write_clip_folder(out / name)
        record(out, name)
    (out / "results.csv").write_text("clip")
    counts = Counts()
    assert list(verify(out, counts)) == [] and counts.clips == 4
    (out / "spin" / "note.txt").write_text("mine")
    (out / "spin" / "more" / "b" / "annotated.mp4").write_bytes(b"another")
    found = {fault.path.relative_to(out).as_posix() for fault in verify(out, Counts())}
    assert found == {"spin/note.txt", "spin/more/b/annotated.mp4"}
    shutil.rmtree(out / "spin" / "a")
    assert "spin/a" in {f.path.relative_to(out).as_posix() for f in verify(out, Counts())}
