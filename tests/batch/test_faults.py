"""Bad days, for real: killed processes, full disks, folders removed, decoders that hang."""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.support.command import BUNDLED, ROOT, command, results_in, rows_of
from tests.support.media import write_clip
from video_cam.batch import local
from video_cam.batch.jobs import Job, Row
from video_cam.batch.results_file import RESULTS, append_rows, latest, parse_rows
from video_cam.batch.store import Busy, FolderStore
from video_cam.batch.worker import WorkerDied
from video_cam.cli.console import Console
from video_cam.rendering.result_folder import SUMMARY_FILE, clear_remains, replace_folder

KILLS = 50


def assert_whole(folder: Path) -> str:
    """The folder holds one complete result; returns whose."""
    mark = json.loads((folder / SUMMARY_FILE).read_text())
    assert sorted(p.name for p in folder.iterdir()) == sorted([SUMMARY_FILE, *mark["files"]])
    for name in mark["files"]:
        assert (folder / name).read_text() == mark["content"] * 1000
    return mark["content"]


def write_results(root: Path, began: str) -> None:
    """A run in small: the real locks, folders and list, with text in the place of videos."""
    store = FolderStore(root)
    (root / began).touch()
    for content in map(str, range(10_000)):
        for name in ("a", "b"):
            with store.claim(name, -1), replace_folder(root / name) as folder:
                for file in ("one", "two", "three"):
                    (folder / file).write_text(content * 1000)
                mark = {"files": ["one", "two", "three"], "content": content}
                (folder / SUMMARY_FILE).write_text(json.dumps(mark))
            store.append([{"clip": name, "status": "done", "content": content}])


def test_killed_at_any_moment_fifty_times(tmp_path: Path) -> None:
    """Two runs write the same folders and list all the time; each is killed and begun again."""
    dice, context = random.Random(0), get_context("fork")
    out = tmp_path / "out"
    out.mkdir()
    for kill in range(KILLS):
        runs = [
            context.Process(target=write_results, args=(out, f"began-{kill}-{number}"))
            for number in range(2)
        ]
        for run in runs:
            run.start()
        while len(list(out.glob(f"began-{kill}-*"))) < 2:
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 0.06))
        for run in runs:
            os.kill(run.pid or 0, signal.SIGKILL)
            run.join()
        for name in ("a", "b"):
            clear_remains(out / name)
            if (out / name).exists():
                assert_whole(out / name)
        rows = latest(parse_rows((out / RESULTS).read_bytes())) if (out / RESULTS).exists() else []
        # What the list calls done is there, and nothing half-written is left anywhere.
        assert all((out / row["clip"] / SUMMARY_FILE).exists() for row in rows)
    assert {p.name for p in out.iterdir() if not p.name.startswith("began")} == {
        "a", "b", ".locks", RESULTS
    }  # fmt: skip


@pytest.mark.slow
def test_the_command_killed_at_any_moment(tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for number in range(4):
        write_clip(clips / f"{number}.mp4", 20)
    words = ("--clip", clips, *BUNDLED, "--output-dir", out, "--max-keyframes", "1")
    dice = random.Random(1)
    for _ in range(3):
        run = subprocess.Popen(
            [sys.executable, str(ROOT / "run_video_cam.py"), *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert run.stdout is not None
        run.stdout.readline()  # the network is there: now it is about clips
        time.sleep(dice.uniform(0, 1.2))
        run.kill()
        run.wait()
        for folder in results_in(out):
            assert json.loads((out / folder / SUMMARY_FILE).read_text())["clip"]["num_frames"] == 20
            assert (out / folder / "annotated.mp4").exists()
    done = command(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert results_in(out) == ["0", "1", "2", "3"]
    rows = latest(rows_of(out))
    assert len(rows) == 4 and {row["status"] for row in rows} <= {"done", "skipped"}
    assert not list(out.glob(".*.partial")) and not list(out.glob(".*.old"))


def test_what_a_kill_moved_away_is_put_back(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "clip") as folder:
        (folder / SUMMARY_FILE).write_text("good")
    [key] = {p.name.split(".")[1] for p in _hidden(tmp_path / "clip")}
    (tmp_path / "clip").rename(tmp_path / f".{key}.0123.old")
    (tmp_path / f".{key}.4567.partial").mkdir()
    (tmp_path / ".other.4567.partial").mkdir()
    clear_remains(tmp_path / "clip")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.4567.partial", "clip"]
    assert (tmp_path / "clip" / SUMMARY_FILE).read_text() == "good"


def _hidden(target: Path) -> list[Path]:
    """The hidden names that a write of ``target`` uses, seen from inside one."""
    with replace_folder(target) as folder:
        (folder / SUMMARY_FILE).write_text("good")
        return [folder]


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    append_rows(path, [{"clip": "a", "status": "done"}])
    with path.open("ab") as file:
        file.write(b'{"clip": "b", "sta')
    append_rows(path, [{"clip": "c"}, {"clip": "a", "status": "failed"}])
    assert latest(parse_rows(path.read_bytes())) == [
        {"clip": "a", "status": "failed"},
        {"clip": "c"},
    ]


def _append_many(path: Path, number: int) -> None:
    store = FolderStore(path)
    for index in range(50):
        store.append([{"clip": f"{number}-{index}", "text": "x" * 5000}])


def test_two_runs_add_lines_at_a_time(tmp_path: Path) -> None:
    context = get_context("fork")
    runs = [context.Process(target=_append_many, args=(tmp_path, n)) for n in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    rows = rows_of(tmp_path)
    assert {row["clip"] for row in rows} == {f"{n}-{i}" for n in range(4) for i in range(50)}


def test_a_clip_is_worked_on_by_one_run_at_a_time(tmp_path: Path) -> None:
    def hold(ready, end) -> None:
        with FolderStore(tmp_path).claim("v", 0):
            ready.set()
            end.wait(30)

    context = get_context("fork")
    ready, end = context.Event(), context.Event()
    other = context.Process(target=hold, args=(ready, end))
    other.start()
    ready.wait(30)
    store = FolderStore(tmp_path)
    with pytest.raises(Busy), store.claim("v", 0.1):
        raise AssertionError("two runs at work on one clip")
    with store.claim("w", 0):
        pass
    os.kill(other.pid or 0, signal.SIGKILL)  # no lock outlives its owner
    other.join()
    with store.claim("v", 0):
        pass


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path, sample_clip: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    small = write_clip(clips / "0 small.mp4", 4)
    shutil.copy(sample_clip, clips / "1 large.mp4")
    shutil.copy(small, clips / "2 small.mp4")
    out = small_disk / "out"
    words = ("--clip", clips, *BUNDLED, "--output-dir", out, "--max-keyframes", "1")
    done = command(*words)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "1 large.mp4" in done.stderr
    assert "0 small" in results_in(out)
    states = {Path(row["clip"]).name: row["status"] for row in latest(rows_of(out))}
    assert states["0 small.mp4"] == "done" and states["1 large.mp4"] == "failed"
    assert set(results_in(out)) == {n[:-4] for n, state in states.items() if state == "done"}
    assert not list(out.glob(".*.partial"))
    # With room, the same command does the rest, and only that.
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    again = command(*words)
    assert (again.returncode, again.stderr) == (0, "")
    assert results_in(out) == ["0 small", "1 large", "2 small"]
    assert "0 small.mp4: finished before" in again.stdout


def faulty(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command with the decoder of tests/support/faulty."""
    paths = {"PYTHONPATH": f"{ROOT / 'tests' / 'support' / 'faulty'}{os.pathsep}{ROOT}"}
    return command(*words, env=os.environ | paths | environment)


def test_a_decoder_that_hangs_and_a_worker_that_dies(tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for name in ("0 fine", "1 dies once", "2 hangs", "3 fine"):
        write_clip(clips / f"{name}.mp4", 4)
    done = faulty(
        "--clip", clips, *BUNDLED, "--output-dir", out, "--max-keyframes", "1", "--time-limit", 20
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {clips / '2 hangs.mp4'}: given up after 20 s: raise --time-limit for more",
        f"error: 1 of 4 clips failed: {clips / '2 hangs.mp4'}",
    ]
    assert results_in(out) == ["0 fine", "1 dies once", "3 fine"]
    states = {Path(row["clip"]).stem: row["status"] for row in rows_of(out)}
    assert states == {
        "0 fine": "done",
        "1 dies once": "done",
        "2 hangs": "failed",
        "3 fine": "done",
    }


def test_an_output_folder_that_is_removed_meanwhile(tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for name in ("0 fine", "1 removes", "2 fine"):
        write_clip(clips / f"{name}.mp4", 4)
    words = ("--clip", clips, *BUNDLED, "--output-dir", out, "--max-keyframes", "1")
    done = faulty(*words, REMOVED=str(out))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "0 fine.mp4: its results were removed during the run; run again" in done.stderr
    states = {Path(row["clip"]).stem: row["status"] for row in latest(rows_of(out))}
    assert {n for n, state in states.items() if state == "done"} == set(results_in(out))
    assert states["0 fine"] == "failed" and states["2 fine"] == "done"
    again = command(*words)
    assert (again.returncode, again.stderr) == (0, "")
    assert results_in(out) == ["0 fine", "1 removes", "2 fine"]


class DyingWorker:
    """In the place of a worker: dies on every clip whose name says so."""

    started = 0

    def __init__(self, parsed, console) -> None:
        pass

    def start(self) -> None:
        DyingWorker.started += 1

    def run(self, job: Job, *, wait_seconds: float, limit_seconds: float | None) -> Row | None:
        if "busy" in job.name and not wait_seconds:
            return None
        if "crashes" in job.name:
            raise WorkerDied("the process that worked on it was ended by SIGSEGV")
        return Row(str(job.clip), job.name, "done")

    def close(self) -> None:
        pass


def test_a_clip_that_kills_every_worker_is_given_up(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local, "Worker", DyingWorker)
    jobs = [Job(tmp_path / name, name) for name in ("busy", "crashes", "fine")]
    parsed = argparse.Namespace(time_limit=None, output_dir=str(tmp_path / "out"))
    with replace_folder(tmp_path / "out" / "crashes") as left:
        (left / SUMMARY_FILE).touch()
    left.mkdir()
    rows = list(local.run_local(jobs, parsed, Console(quiet=True)))
    # The clip that another run was at work on comes last.
    assert [(row.status, Path(row.clip).name) for row in rows] == [
        ("failed", "crashes"), ("done", "fine"), ("done", "busy"),
    ]  # fmt: skip
    assert rows[0].error is not None and rows[0].error.endswith("ended by SIGSEGV, 2 times")
    assert not left.exists()


def test_a_list_that_cannot_be_written_is_no_crash(tmp_path: Path, monkeypatch) -> None:
    append_rows(tmp_path / RESULTS, [{"clip": "a"}])
    monkeypatch.setattr(os, "write", lambda file, data: 3)
    with pytest.raises(OSError, match="No space left") as caught:
        append_rows(tmp_path / RESULTS, [{"clip": "b"}])
    assert caught.value.errno == errno.ENOSPC
    assert rows_of(tmp_path) == [{"clip": "a"}]
