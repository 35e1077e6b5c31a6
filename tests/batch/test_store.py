"""A folder of results: whole results only, whatever process is killed, and one writer at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.support.command import records_in
from tests.support.processes import forkserver
from tests.support.records import latest_in
from video_cam import UsageError
from video_cam.batch.inputs import clip_id
from video_cam.batch.results_file import RESULTS
from video_cam.batch.store import ClipBusy, FolderStore, open_store, owner_of
from video_cam.rendering.result_folder import SUMMARY_FILE, clear_remains, replace_folder

KILLS = 50
FILES = ["one", "three", "two"]


def assert_whole(folder: Path) -> None:
    """The folder holds the files of one result."""
    summary = json.loads((folder / SUMMARY_FILE).read_text())
    assert sorted(p.name for p in folder.iterdir()) == sorted([SUMMARY_FILE, *FILES])
    for name in FILES:
        assert (folder / name).read_text() == summary["content"] * 1000


def write_results(root: Path, began: str) -> None:
    """A small run: the real locks, folders and records, with text instead of videos."""
    store = FolderStore(root)
    (root / began).touch()
    for content in map(str, range(10_000)):
        for name in ("a", "b"):
            with store.claim(name, -1), replace_folder(root / name) as folder:
                for file in FILES:
                    (folder / file).write_text(content * 1000)
                (folder / SUMMARY_FILE).write_text(json.dumps({"content": content}))
            store.append([{"clip": name, "status": "done", "content": content}])


def test_two_runs_killed_at_fifty_random_moments(tmp_path: Path) -> None:
    """Two runs write the same folders and records; each is killed and started again."""
    rng, out = random.Random(0), tmp_path / "out"
    out.mkdir()
    for kill in range(KILLS):
        runs = [
            forkserver.Process(target=write_results, args=(out, f"began-{kill}-{number}"))
            for number in range(2)
        ]
        for run in runs:
            run.start()
        while len(list(out.glob(f"began-{kill}-*"))) < 2:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.06))
        for run in runs:
            os.kill(run.pid or 0, signal.SIGKILL)
            run.join()
        for name in ("a", "b"):
            clear_remains(out / name)
            if (out / name).exists():
                assert_whole(out / name)
        # Whatever the records call done exists.
        data = (out / RESULTS).read_bytes() if (out / RESULTS).exists() else b""
        assert all((out / record["clip"] / SUMMARY_FILE).exists() for record in latest_in(data))
    left = {p.name for p in out.iterdir() if not p.name.startswith("began")}
    assert left == {"a", "b", ".locks", RESULTS}


def append_many(path: Path, number: int) -> None:
    store = FolderStore(path)
    for index in range(50):
        store.append([{"clip": f"{number}-{index}", "text": "x" * 5000}])


def test_several_runs_append_records_at_the_same_time(tmp_path: Path) -> None:
    runs = [forkserver.Process(target=append_many, args=(tmp_path, number)) for number in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    clips = [record["clip"] for record in records_in(tmp_path)]
    assert sorted(clips) == sorted(f"{n}-{i}" for n in range(4) for i in range(50))


def hold(root: Path, ready, end) -> None:
    with FolderStore(root).claim("v", 0):
        ready.set()
        end.wait(30)


def test_one_run_at_a_time_processes_a_clip(tmp_path: Path) -> None:
    ready, end = forkserver.Event(), forkserver.Event()
    other = forkserver.Process(target=hold, args=(tmp_path, ready, end))
    other.start()
    ready.wait(30)
    store = FolderStore(tmp_path)
    with pytest.raises(ClipBusy), store.claim("v", 0.1):
        raise AssertionError("two runs process one clip")
    with store.claim("w", 0):
        pass
    os.kill(other.pid or 0, signal.SIGKILL)  # a lock ends with the process that holds it
    other.join()
    with store.claim("v", 0):
        pass


def test_claiming_a_clip_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with replace_folder(tmp_path / "v") as partial:
        (partial / SUMMARY_FILE).write_text("{}")
    partial.mkdir()  # as if the process had been killed before it took its name
    with store.claim("v", 0):
        assert not partial.exists() and (tmp_path / "v").exists()


def test_remains_in_class_folders_are_removed_and_earlier_results_restored(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for name in ("spin/v", "spin/w"):
        with store.claim(name, 0), replace_folder(tmp_path / name) as partial:
            (partial / SUMMARY_FILE).write_text("{}")
        partial.mkdir()
        if name == "spin/w":  # killed between two renamings
            (tmp_path / name).rename(partial.with_suffix(".old"))
    store.prepare()
    assert sorted(path.name for path in (tmp_path / "spin").iterdir()) == ["v", "w"]
    assert store.has_files("spin/w", [SUMMARY_FILE])


def begin_and_hold(root: Path, name: str, ready) -> None:
    with replace_folder(root / name):
        ready.set()
        time.sleep(60)


def test_preparing_removes_what_killed_runs_left_and_nothing_of_running_ones(
    tmp_path: Path,
) -> None:
    store, began = FolderStore(tmp_path), [forkserver.Event(), forkserver.Event()]
    with store.claim("moved away", 0), replace_folder(tmp_path / "moved away") as partial:
        (partial / SUMMARY_FILE).touch()
    runs = [
        forkserver.Process(target=begin_and_hold, args=(tmp_path, name, ready))
        for name, ready in zip(("killed", "running"), began, strict=True)
    ]
    for run, ready in zip(runs, began, strict=True):
        run.start()
        assert ready.wait(30)
    assert len(list(tmp_path.glob(".*.partial"))) == 2
    os.kill(runs[0].pid or 0, signal.SIGKILL)
    runs[0].join()
    # As a kill between two renamings leaves it.
    (tmp_path / "moved away").rename(partial.with_suffix(".old"))
    store.prepare()
    [left] = tmp_path.glob(".*.partial")
    assert {p.name for p in tmp_path.iterdir()} == {
        "moved away", ".locks", left.name, left.with_suffix(".lock").name,
    }  # fmt: skip
    os.kill(runs[1].pid or 0, signal.SIGKILL)
    runs[1].join()
    store.prepare()
    assert {p.name for p in tmp_path.iterdir()} == {"moved away", ".locks"}


@pytest.mark.parametrize(
    "text", ['{"clip": null}', '{"clip": {"path": "\\ud800.mp4", "duration_seconds": 1.0}}']
)
def test_a_summary_whose_clip_cannot_exist_has_no_owner(text: str, tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / SUMMARY_FILE).write_text(text)
    assert FolderStore(tmp_path).owner("v") is None


def test_summaries_files_and_owners(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert (store.summary("v"), store.owner("v")) == (None, None)
    (tmp_path / "v").mkdir()
    os.mkfifo(tmp_path / "v" / SUMMARY_FILE)
    assert (store.summary("v"), store.summary_sha256("v")) == (None, None)
    (tmp_path / "v" / SUMMARY_FILE).unlink()
    for text in ("not JSON", "[]", "[" * 100_000, '{"clip_id": 3}', '{"clip": "a.mp4"}'):
        (tmp_path / "v" / SUMMARY_FILE).write_text(text)
        assert store.summary("v") is None
    (tmp_path / "v" / SUMMARY_FILE).write_text('{"clip_id": "0123"}')
    assert (store.summary("v"), store.owner("v")) == ({"clip_id": "0123"}, "0123")
    assert store.has_files("v", [SUMMARY_FILE]) and not store.has_files(
        "v", [SUMMARY_FILE, "annotated.mp4"]
    )
    assert store.has_contents("v", {SUMMARY_FILE: 19})
    assert not store.has_contents("v", {SUMMARY_FILE: 18})
    assert not store.has_contents("v", {SUMMARY_FILE: 19, "annotated.mp4": 0})
    assert store.shown("v/index.html") == str(tmp_path / "v" / "index.html")


def ask_everything(root: Path) -> None:
    """Every method that reads; none of them may wait for a pipe's other end."""
    store = FolderStore(root)
    store.prepare()
    assert (store.summary("v"), store.owner("v")) == (None, None)
    with pytest.raises(UsageError, match="holds no results"):
        store.check("v")
    for call in (
        lambda: list(store.records()),
        store.write_index,
        lambda: store.append([{"clip": "v"}]),
    ):
        with pytest.raises(OSError, match="not a regular file"):
            call()


def test_pipes_in_the_place_of_files_do_not_hang(tmp_path: Path) -> None:
    for folder in (tmp_path / "v", tmp_path / ".locks"):
        folder.mkdir()
    for name in (RESULTS, f"v/{SUMMARY_FILE}", ".locks/v.lock", f".locks/{RESULTS}.lock"):
        os.mkfifo(tmp_path / name)
    process = forkserver.Process(target=ask_everything, args=(tmp_path,), daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_an_owner_is_the_value_of_a_key_and_never_part_of_a_text(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    (tmp_path / "v").mkdir()
    label = '"clip_id": "000000000000"'
    summary = {"label": label, "clip": {"path": "a.mp4", "duration_seconds": 1.0}}
    for entries, owner in (({"clip_id": "0123456789ab"}, "0123456789ab"), ({}, clip_id("a.mp4"))):
        (tmp_path / "v" / SUMMARY_FILE).write_text(json.dumps(summary | entries, indent=2))
        assert store.owner("v") == owner


def test_the_names_in_a_store(tmp_path: Path) -> None:
    assert FolderStore(tmp_path / "missing").names() == set()
    (tmp_path / "Clip").mkdir()
    (tmp_path / RESULTS).touch()
    assert FolderStore(tmp_path).names() == {"clip", RESULTS}


def test_of_many_folders_a_new_one_and_those_without_results_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, checked = FolderStore(tmp_path), []
    check = store.check
    monkeypatch.setattr(store, "check", lambda name: (checked.append(name), check(name)))
    for name in ("a", "b", "empty"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        (tmp_path / name / SUMMARY_FILE).touch()
    store.check_all([])
    store.check_all(["a", "new", "b", "newer", "empty"])
    assert checked == ["new", "empty"]
    store.check_all(["b", "a"])
    assert checked[2:] == ["b"]  # one of them: can the output folder be written?
    (tmp_path / "empty" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds no results"):
        store.check_all(["a", "new", "empty"])
    with pytest.raises(UsageError, match="cannot write"):
        FolderStore(tmp_path / "empty" / "thesis.tex").check_all(["v"])


def test_the_owner_of_results_from_python_is_found_by_the_clips_path() -> None:
    owner = owner_of({"clip": {"path": "a.mp4"}})
    assert owner is not None and owner == owner_of({"clip": {"path": str(Path("a.mp4").resolve())}})
    assert owner_of({}) is None


@pytest.mark.parametrize("prefix", ["", "file://", "local://"])
def test_a_path_or_a_local_address_is_a_folder(prefix: str, tmp_path: Path) -> None:
    store = open_store(f"{prefix}{tmp_path}")
    assert isinstance(store, FolderStore) and store.root == tmp_path


def test_an_output_folder_that_is_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("disk/results")  # which does not exist yet
    store = FolderStore(tmp_path / "out")
    store.prepare()
    for content in ("first", "second"):
        store.check("v")
        with store.claim("v", 0), store.writing("v") as target, replace_folder(target) as folder:
            (folder / SUMMARY_FILE).write_text(json.dumps({"clip_id": content}))
        store.append([{"clip": content}])
    assert (tmp_path / "out").is_symlink() and store.owner("v") == "second"
    assert sorted(p.name for p in (tmp_path / "disk" / "results").iterdir()) == [
        ".locks", RESULTS, "v",
    ]  # fmt: skip


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    store = FolderStore(tmp_path / "out")
    for call in (store.prepare, lambda: store.check("v"), lambda: store.append([{"clip": "v"}])):
        with pytest.raises(UsageError, match=r"^cannot write to .*choose another --output-dir$"):
            call()


def test_an_output_folder_without_locks(tmp_path: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    store = FolderStore(tmp_path)
    words = r"^the file system of '.*' has no file locks \(flock\): choose another --output-dir$"
    with pytest.raises(UsageError, match=words), store.claim("v", -1):
        raise AssertionError("claimed without a lock")
    with pytest.raises(UsageError, match=words):
        store.append([{"clip": "v"}])
    with pytest.raises(UsageError, match=words):
        store.prepare()


def test_a_folder_in_the_place_of_a_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / ".locks" / "v.lock").mkdir(parents=True)
    words = r"^cannot write to .* \(Is a directory: .*v\.lock\): choose another --output-dir$"
    with pytest.raises(UsageError, match=words), FolderStore(tmp_path).claim("v", -1):
        raise AssertionError("claimed without a lock")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(UsageError, match="cannot write to"):
        FolderStore(tmp_path / "out").check("v")
