"""A clip and its folder are claimed together: runs never overwrite another clip's results."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from tests.support.command import records_in, results_in
from tests.support.processes import forkserver
from video_cam import ClipError
from video_cam.batch.claims import claimed, reserved
from video_cam.batch.inputs import clip_id, long_name
from video_cam.batch.jobs import Job, plan_jobs
from video_cam.batch.store import ClipBusy, FolderStore
from video_cam.rendering.result_folder import SUMMARY_FILE, replace_folder

NUM_RUNS = 8
FILES = ("one", "two")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "out")


def write_results(store: FolderStore, name: str, clip: Path) -> None:
    """Results of a clip, with text instead of videos."""
    with replace_folder(store.root / name) as folder:
        for file in FILES:
            (folder / file).write_text(f"{clip}\n" * 1000)
        (folder / SUMMARY_FILE).write_text(json.dumps({"clip_id": clip_id(clip)}))


def name_of(store: FolderStore, clip: Path, planned: str, is_reserved: bool = False) -> str:
    """The folder that a run takes now."""
    with claimed(store, Job(clip, planned, is_reserved=is_reserved), 0) as job:
        return job.name


A, B = Path("a/v.mp4"), Path("b/v.mp4")


def test_a_planned_folder_that_is_free_is_taken(store: FolderStore) -> None:
    assert name_of(store, A, "v") == "v"
    assert name_of(store, A, long_name(A)) == long_name(A)


def test_another_clips_results_are_not_overwritten(store: FolderStore) -> None:
    """They came into the planned folder after both runs had planned."""
    write_results(store, "v", A)
    assert name_of(store, B, "v") == long_name(B)
    assert name_of(store, A, "v") == "v"


def test_a_clip_keeps_the_folder_that_another_run_gave_it(store: FolderStore) -> None:
    write_results(store, "v", A)
    assert name_of(store, A, long_name(A)) == "v"
    write_results(store, long_name(B), B)
    (store.root / "v").rename(store.root / "moved")
    assert name_of(store, B, "v") == long_name(B)


def test_another_clips_results_in_every_folder(store: FolderStore) -> None:
    write_results(store, "v", A)
    write_results(store, long_name(B), A)
    with pytest.raises(ClipError, match=r"^another clip's results are in .*--output-dir$"):
        name_of(store, B, "v")


@pytest.mark.parametrize("planned", ["v", long_name(A)])
def test_two_runs_do_not_process_one_clip(store: FolderStore, planned: str) -> None:
    """Not even when they planned different folders for it."""
    with claimed(store, Job(A, planned), 0):
        for name in ("v", long_name(A)):
            with pytest.raises(ClipBusy):
                name_of(store, A, name)
    assert name_of(store, A, planned) == planned


def test_a_reserved_clip_is_for_processes_of_its_run_alone(store: FolderStore) -> None:
    """Which claim it one after another."""
    with reserved(store, Job(A, "v"), 0) as ours:
        for _ in range(2):
            assert name_of(store, ours.clip, "v", is_reserved=True) == "v"
            with pytest.raises(ClipBusy):
                name_of(store, A, "v")
        assert name_of(store, B, "v") == "v"
    assert name_of(store, A, "v") == "v"


def run_clips(root: Path, clips: list[Path], number: int) -> None:
    """A command on these clips; the real planning, claims, folders and records."""
    store, rng = FolderStore(root / "out"), random.Random(number)
    (root / f"began-{number}").touch()
    while not (root / "go").exists():
        time.sleep(0.001)
    for planned in plan_jobs(dict.fromkeys(clips, ()), store):
        time.sleep(rng.uniform(0, 0.02))
        with claimed(store, planned, -1) as job:
            if not store.has_files(job.name, [SUMMARY_FILE]):
                write_results(store, job.name, job.clip)
                time.sleep(rng.uniform(0, 0.02))
        store.append([{"clip": str(job.clip), "folder": job.name, "status": "done"}])


def start_together(root: Path, inputs: list[list[Path]]) -> list:
    """A process for each list of clips; all plan at the same moment."""
    for file in ("go", *(f"began-{number}" for number in range(len(inputs)))):
        (root / file).unlink(missing_ok=True)
    runs = [
        forkserver.Process(target=run_clips, args=(root, clips, number))
        for number, clips in enumerate(inputs)
    ]
    for run in runs:
        run.start()
    while len(list(root.glob("began-*"))) < len(runs):
        time.sleep(0.001)
    (root / "go").touch()
    return runs


@pytest.mark.parametrize("seed", range(2))
def test_eight_runs_with_kills_give_every_clip_its_own_results(tmp_path: Path, seed: int) -> None:
    """Of one name in several folders, of different names, and one clip that all are given."""
    rng = random.Random(seed)
    inputs = [
        [tmp_path / str(number) / "v.mp4", tmp_path / "all.mp4", tmp_path / f"{number}.mp4"]
        for number in range(NUM_RUNS)
    ]
    inputs[0].append(inputs[1][0])  # plans long names for both
    for _ in range(2):
        runs = start_together(tmp_path, inputs)
        time.sleep(rng.uniform(0, 0.15))
        for run in runs:
            if rng.random() < 0.7:
                run.kill()  # nothing happens to one that has ended
        for run in runs:
            run.join()
    runs = start_together(tmp_path, inputs)
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0] * NUM_RUNS
    out, clips = tmp_path / "out", {clip for given in inputs for clip in given}
    assert len(results_in(out)) == len(clips)
    # Every line of every run is still true: nothing was overwritten in between.
    folders = {record["clip"]: record["folder"] for record in records_in(out)}
    assert all(folders[record["clip"]] == record["folder"] for record in records_in(out))
    assert sorted(folders.values()) == results_in(out)
    for clip in clips:
        folder = out / folders[str(clip)]
        assert json.loads((folder / SUMMARY_FILE).read_text())["clip_id"] == clip_id(clip)
        assert all((folder / file).read_text() == f"{clip}\n" * 1000 for file in FILES)
