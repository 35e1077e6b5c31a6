"""A folder of results: whole results only, whatever process is killed, and one writer at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.support.command import records_in
from video_cam import UsageError
from video_cam.batch.inputs import clip_id
from video_cam.batch.results_file import RESULTS, latest, parse_records
from video_cam.batch.store import ClipBusy, FolderStore, open_store, owner_of
from video_cam.rendering.result_folder import SUMMARY_FILE, clear_remains, replace_folder

KILLS = 50
FILES = ["one", "three", "two"]
# A small process that forks: to copy this one, with PyTorch, takes longer than the tests.
forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["tests.batch.test_store"])


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
        assert all(
            (out / record["clip"] / SUMMARY_FILE).exists() for record in latest(parse_records(data))
        )
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


def test_summaries_files_and_owners(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert (store.summary("v"), store.owner("v")) == (None, None)
    (tmp_path / "v").mkdir()
    for text in ("not JSON", "[]"):
        (tmp_path / "v" / SUMMARY_FILE).write_text(text)
        assert store.summary("v") is None
    (tmp_path / "v" / SUMMARY_FILE).write_text('{"clip_id": "0123"}')
    assert (store.summary("v"), store.owner("v")) == ({"clip_id": "0123"}, "0123")
    assert store.has_files("v", [SUMMARY_FILE]) and not store.has_files(
        "v", [SUMMARY_FILE, "annotated.mp4"]
    )
    assert store.shown("v/index.html") == str(tmp_path / "v" / "index.html")


def test_an_owner_is_the_value_of_a_key_and_never_part_of_a_text(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    (tmp_path / "v").mkdir()
    label = '"clip_id": "000000000000"'
    summary = {"label": label, "clip": {"path": "a.mp4"}}
    for entries, owner in (({"clip_id": "0123456789ab"}, "0123456789ab"), ({}, clip_id("a.mp4"))):
        (tmp_path / "v" / SUMMARY_FILE).write_text(json.dumps(summary | entries, indent=2))
        assert store.owner("v") == owner


def test_the_names_in_a_store(tmp_path: Path) -> None:
    assert FolderStore(tmp_path / "missing").names() == set()
    (tmp_path / "Clip").mkdir()
    (tmp_path / RESULTS).touch()
    assert FolderStore(tmp_path).names() == {"clip", RESULTS}


def test_the_owner_of_results_from_python_is_found_by_the_clips_path() -> None:
    owner = owner_of({"clip": {"path": "a.mp4"}})
    assert owner is not None and owner == owner_of({"clip": {"path": str(Path("a.mp4").resolve())}})
    assert owner_of({}) is None


@pytest.mark.parametrize("prefix", ["", "file://", "local://"])
def test_a_path_or_a_local_address_is_a_folder(prefix: str, tmp_path: Path) -> None:
    store = open_store(f"{prefix}{tmp_path}")
    assert isinstance(store, FolderStore) and store.root == tmp_path


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    store = FolderStore(tmp_path / "out")
    for call in (lambda: store.check("v"), lambda: store.append([{"clip": "v"}])):
        with pytest.raises(UsageError, match=r"^cannot write to .*choose another --output-dir$"):
            call()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(UsageError, match="cannot write to"):
        FolderStore(tmp_path / "out").check("v")
