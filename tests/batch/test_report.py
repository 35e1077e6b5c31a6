"""What a run tells and keeps, and where: lists, JSON lines, shards, addresses."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import run_video_cam
from tests.cli.test_main import run
from tests.support.command import BUNDLED, assert_one_error_line, command, results_in, rows_of
from tests.support.media import write_clip
from video_cam.batch.inputs import find_clips
from video_cam.batch.jobs import plan_jobs
from video_cam.batch.store import FolderStore, open_store

__all__ = ["run"]  # the fixture

QUICK = (*BUNDLED, "--max-keyframes", "1")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "small.mp4", 4)


def test_a_line_for_each_clip(run, out: Path, small: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    assert run("--clip", small, *QUICK)[0] == 0
    assert run("--clip", tmp_path / "bad.mp4", *QUICK)[0] == 1
    assert run("--clip", small, *QUICK)[0] == 0  # finished before: the list says so already
    done, failed = rows_of(out)
    summary = json.loads((out / "small" / "summary.json").read_text())
    assert done["prediction"] == summary["predictions"][0]
    assert done["duration_seconds"] == summary["clip"]["duration_seconds"]
    assert {k: done[k] for k in ("clip", "folder", "status", "error", "check")} == {
        "clip": str(small), "folder": "small", "status": "done", "error": None,
        "check": summary.get("check"),
    }  # fmt: skip
    assert (failed["status"], failed["folder"], failed["prediction"]) == ("failed", None, None)
    assert failed["error"].startswith(f"{tmp_path / 'bad.mp4'}: not a video")
    page = (out / "index.html").read_text()
    assert "small.mp4" in page and "bad.mp4" in page and 'href="small/index.html"' in page


def test_json_lines_for_machines(run, small: Path) -> None:
    status, said, err = run("--clip", small, *QUICK, "--json")
    events = [json.loads(line) for line in said.splitlines()]
    assert (status, err) == (0, "")
    assert {e["event"] for e in events} == {"message", "progress", "clip", "end"}
    stages = {e["stage"]: (e["done"], e["total"]) for e in events if e["event"] == "progress"}
    assert stages["explain"] == (1, 1) and stages["render"] == (4, 4)
    assert events[-1] == {"event": "end", "done": 1, "skipped": 0, "failed": 0, "not_tried": 0}
    assert events[-2]["clip"] == str(small)


def test_quiet_says_nothing_but_errors(run, small: Path, tmp_path: Path) -> None:
    assert run("--clip", small, *QUICK, "--quiet") == (0, "", "")
    status, said, err = run("--clip", tmp_path / "bad*.mp4", *QUICK, "--quiet")
    assert said == ""
    assert_one_error_line(status, err, 2, "no such clip")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--shard", "3/2"), "must be I/N with 1 <= I <= N"),
        (("--time-limit", "0"), "no number of seconds above 0"),
        (("--log-level", "loud"), "invalid choice"),
        (("--max-pixels", "0"), "max_pixels 0 must be above 0"),
    ],
)
def test_wrong_words(run, small: Path, words, message) -> None:
    status, _, err = run("--clip", small, *QUICK, *words)
    assert status == 2 and message in err


def test_shards_share_the_clips_and_agree_on_their_folders(tmp_path: Path) -> None:
    for name in ("a/v.mp4", "b/v.mp4", "b/w.mp4", "c/x.mp4", "c/y.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    clips, store = find_clips([str(tmp_path / "?")]), FolderStore(tmp_path / "out")
    whole = plan_jobs(clips, store)
    shards = [plan_jobs(clips, store, (index, 3)) for index in (1, 2, 3)]
    assert [len(shard) for shard in shards] == [2, 2, 1]
    assert sorted((j for s in shards for j in s), key=lambda job: job.clip) == whole


def test_results_at_an_address(small: Path) -> None:
    pytest.importorskip("fsspec")
    store, words = open_store("memory://bucket/results"), ("--clip", small, *QUICK)

    def again() -> tuple[int, dict]:
        arguments = [*map(str, words), "--output-dir", "memory://bucket/results"]
        status = run_video_cam.main(arguments)
        summary = store.summary("small")
        assert summary is not None
        return status, summary

    first = again()[1]
    assert store.holds("small", ["annotated.mp4", "index.html", "keyframes/000000.png"])
    status, second = again()
    assert (status, second) == (0, first)  # found finished
    words = (*words, "--colormap", "jet")
    assert again()[1]["fingerprint"] != first["fingerprint"]
    assert [row["clip"] for row in store.rows()] == [str(small)]
    assert not list(Path.cwd().glob("memory:*"))


def test_two_commands_share_the_work(tmp_path: Path, out: Path) -> None:
    """Both are given everything; every clip is done once."""
    (tmp_path / "in").mkdir()
    for number in range(5):
        write_clip(tmp_path / "in" / f"{number}.mp4", 4)
    words = ("--clip", tmp_path / "in", *QUICK, "--output-dir", out)
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda _: command(*words), range(2)))
    assert [(end.returncode, end.stderr) for end in ends] == [(0, "")] * 2
    assert results_in(out) == list("01234")
    rows = rows_of(out)
    assert sorted(row["clip"] for row in rows if row["status"] == "done") == sorted(
        str(tmp_path / "in" / f"{n}.mp4") for n in range(5)
    )
