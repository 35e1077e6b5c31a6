"""Processors read and draw for the process with the network."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fake_workers import DRAW, EXPLAIN, READ, WHOLE, Fakes, FakeWorker
from tests.support.reporting import RecordingReporter
from video_cam import UsageError, VideoCamError
from video_cam.batch import local_stages, supervision
from video_cam.batch.inputs import long_name
from video_cam.batch.jobs import DONE, FAILED, Job
from video_cam.batch.local import run_local
from video_cam.batch.local_stages import (
    CLIPS_BETWEEN,
    MAX_CLIPS_WITH_FRAMES,
    leaves_cores_idle,
    most_processors,
)
from video_cam.batch.run_config import RayConfig, RunConfig
from video_cam.batch.store import ClipBusy, FolderStore
from video_cam.batch.worker import WorkerDied, WorkerStopped

MAX_SECONDS = 6  # a test that waits so long has failed


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    fakes = Fakes()
    monkeypatch.setattr(supervision, "Worker", fakes.make)
    return fakes


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """Two processors."""
    return RunConfig(
        output_dir=str(tmp_path / "out"), time_limit=7.0, ray=RayConfig(cpu_actors=(1, 2))
    )


def jobs_of(folder: Path, *names: object) -> list[Job]:
    return [Job(folder / f"{name}.mp4", str(name)) for name in names]


def carriers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "carrier"]


def test_the_network_goes_on_while_clips_are_drawn_up_to_a_bound(
    fakes: Fakes, config: RunConfig, reporter: RecordingReporter, tmp_path: Path, monkeypatch
) -> None:
    """To draw the first clip takes as long here as to explain ten."""
    is_ahead, have_started, num_carriers = threading.Event(), threading.Event(), []
    start = local_stages._Carriers.start

    def start_all(ours: local_stages._Carriers) -> None:
        start(ours)
        have_started.set()

    def wait(stage: str, job: Job) -> None:
        assert have_started.wait(MAX_SECONDS)
        num_carriers.append(len(carriers()))
        if stage == DRAW and fakes.is_first(stage):
            assert is_ahead.wait(MAX_SECONDS)
        elif stage == EXPLAIN and fakes.count(EXPLAIN) == 10:
            is_ahead.set()

    fakes.before = wait
    monkeypatch.setattr(local_stages._Carriers, "start", start_all)
    records = list(run_local(jobs_of(tmp_path, *range(20)), config, reporter))
    assert sorted(int(record.folder or "") for record in records) == list(range(20))
    assert [fakes.count(stage) for stage in (READ, EXPLAIN, DRAW, WHOLE)] == [20, 20, 20, 0]
    assert max(num_carriers) <= 2 + CLIPS_BETWEEN  # of one clip each
    assert len(fakes.started) == 3 and len(set(map(id, fakes.ended))) == 3
    assert reporter.texts("info") == [
        "model of the test",
        "20 clips: the network on cuda:0; up to 2 processes read and draw for it",
    ]


def test_few_clips_are_read_in_advance(fakes: Fakes, config, reporter, tmp_path) -> None:
    """However many processors there are: their frames take memory."""
    are_enough, are_too_many, waited = threading.Event(), threading.Event(), []

    def wait(stage: str, job: Job) -> None:
        if stage == EXPLAIN and fakes.is_first(stage):
            waited.append(are_enough.wait(MAX_SECONDS))
            waited.append(are_too_many.wait(0.2))
        elif stage == READ and fakes.count(READ) >= MAX_CLIPS_WITH_FRAMES - 1:
            (are_too_many if are_enough.is_set() else are_enough).set()

    fakes.before = wait
    config = replace(config, ray=RayConfig(cpu_actors=(20, 20)))
    assert len(list(run_local(jobs_of(tmp_path, *range(20)), config, reporter))) == 20
    assert waited == [True, False]


@pytest.mark.parametrize(("place", "count"), [("cpu", 3), ("cuda:0", 1)])
def test_one_process_does_all_on_a_cpu_and_for_one_clip(
    place: str, count: int, fakes: Fakes, config, reporter, tmp_path: Path
) -> None:
    fakes.place = place
    assert len(list(run_local(jobs_of(tmp_path, *range(count)), config, reporter))) == count
    assert {stage for stage, _ in fakes.log} == {WHOLE}
    assert len(fakes.started) == 1


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("cuda", True),
        ("cuda:1", True),
        ("ONNX Runtime's CUDAExecutionProvider", True),
        ("cpu", False),
        ("ONNX Runtime's CPUExecutionProvider", False),
    ],
)
def test_which_networks_leave_the_cores_idle(place: str, expected: bool) -> None:
    assert leaves_cores_idle(place) == expected


@pytest.mark.parametrize(
    ("cores", "gibibytes", "asked_for", "clips", "expected"),
    [
        (16, 64, None, 100, 15),
        (16, 6, None, 100, 4),
        (16, 64, None, 3, 3),
        (1, 0, None, 100, 1),
        (16, 64, (1, 4), 100, 4),
        (2, 64, (6, 6), 100, 6),
    ],
)
def test_as_many_processors_as_cores_and_memory_allow(
    cores, gibibytes, asked_for, clips, expected, monkeypatch
) -> None:
    monkeypatch.setattr(local_stages, "usable_cores", lambda: cores)
    monkeypatch.setattr(local_stages, "available_bytes", lambda: gibibytes * 2**30 + 1)
    config = RunConfig(ray=RayConfig(cpu_actors=asked_for))
    assert most_processors(config, clips) == expected


def test_a_fault_in_any_stage_costs_one_clip(fakes: Fakes, config, reporter, tmp_path) -> None:
    faults = [f"{fault} {stage}" for fault in ("dies", "hangs") for stage in (READ, EXPLAIN, DRAW)]
    names = [*faults, "fine", "dies once read", "dies once explain", "dies once draw", "fails read"]
    jobs = jobs_of(tmp_path, *names)
    records = {Path(one.clip).stem: one for one in run_local(jobs, config, reporter)}
    assert {name: one.status for name, one in records.items()} == {
        name: DONE if name == "fine" or "once" in name else FAILED for name in names
    }
    for name in names[:3]:
        clip = tmp_path / f"{name}.mp4"
        expected = f"{clip}: the worker process was ended by SIGSEGV, 2 times"
        assert records[name].error == expected
    for number, name in enumerate(names[3:6]):
        assert (records[name].error or "").endswith("given up after 7 s")
        # Those of the stages before count.
        assert 10 * number <= records[name].seconds < 10 * number + 1
    # What went well before is not done again.
    tried = [stage for stage, name in fakes.log if name == "dies once draw"]
    assert tried == [READ, EXPLAIN, DRAW, DRAW]
    assert not carriers()


def test_an_error_that_ends_the_run_ends_all_processes(
    fakes: Fakes, config, reporter, tmp_path
) -> None:
    """Three clips wait to be drawn when the network cannot be loaded any more."""

    def fail(stage: str, job: Job) -> None:
        if stage == DRAW:
            assert fakes.is_stopped.wait(MAX_SECONDS)
            raise WorkerStopped
        if stage == EXPLAIN and fakes.count(EXPLAIN) == 3:
            raise UsageError("the network's file was removed")

    fakes.before = fail
    config = replace(config, ray=RayConfig(cpu_actors=(4, 4)))
    with pytest.raises(UsageError, match="file was removed"):
        list(run_local(jobs_of(tmp_path, *range(9)), config, reporter))
    assert not carriers() and fakes.count(DRAW) == 0
    assert set(map(id, fakes.ended)) == set(map(id, fakes.started))


def test_a_processor_that_cannot_start_ends_the_run(
    fakes: Fakes, config, reporter, tmp_path, monkeypatch
) -> None:
    start = FakeWorker.start

    def die(worker: FakeWorker) -> None:
        if worker.facts:
            raise WorkerDied("the worker process was ended by SIGKILL")
        start(worker)

    monkeypatch.setattr(FakeWorker, "start", die)
    expected = r"^a process that reads and draws could not start: .* SIGKILL, 2 times$"
    with pytest.raises(VideoCamError, match=expected):
        list(run_local(jobs_of(tmp_path, "a", "b"), config, reporter))


def test_a_run_that_is_given_up_keeps_what_is_finished(
    fakes: Fakes, config, reporter, tmp_path
) -> None:
    """As by Ctrl-C, while every process works."""

    def wait(stage: str, job: Job) -> None:
        if stage == DRAW and job.name != "0":
            assert fakes.is_stopped.wait(MAX_SECONDS)
            raise WorkerStopped

    fakes.before = wait
    config = replace(config, ray=RayConfig(cpu_actors=(9, 9)))
    records = run_local(jobs_of(tmp_path, *range(9)), config, reporter)
    assert next(records).folder == "0"
    assert carriers()
    records.close()
    assert not carriers() and set(map(id, fakes.started)) <= set(map(id, fakes.ended))
    assert fakes.count(DRAW) == 1


def test_a_processor_that_does_not_react_to_an_interrupt_is_killed(
    fakes: Fakes, config, reporter, tmp_path, monkeypatch
) -> None:
    def hang(stage: str, job: Job) -> None:
        if stage == DRAW and not fakes.is_first(stage):
            assert fakes.is_killed.wait(MAX_SECONDS)
            raise WorkerStopped

    fakes.before = hang
    monkeypatch.setattr(local_stages, "SECONDS_TO_CLEAN_UP", 0.01)
    records = run_local(jobs_of(tmp_path, *range(9)), config, reporter)
    next(records)
    records.close()
    assert fakes.is_stopped.is_set() and fakes.is_killed.is_set() and not carriers()


def test_clips_of_another_run_come_last(fakes: Fakes, config, reporter, tmp_path) -> None:
    store = FolderStore(tmp_path / "out")
    [busy, *others] = jobs = jobs_of(tmp_path, "busy", 1, 2)
    message = f"{busy.clip}: another run is processing it; continuing with the rest"
    records = []

    def wait_for_message(stage: str, job: Job) -> None:
        deadline = time.monotonic() + MAX_SECONDS
        while message not in reporter.texts("info") and time.monotonic() < deadline:
            time.sleep(0.001)

    fakes.before = wait_for_message
    with store.reserve(long_name(busy.clip), 0):
        running = run_local(jobs, config, reporter)
        records += [next(running) for _ in others]
    records += running
    assert records[-1].folder == "busy" and {one.folder for one in records[:2]} == {"1", "2"}
    assert message in reporter.texts("info")


def test_a_clip_is_kept_from_other_runs_between_its_stages(
    fakes: Fakes, config, reporter, tmp_path
) -> None:
    store, checked = FolderStore(tmp_path / "out"), []

    def try_to_take(stage: str, job: Job) -> None:
        assert job.is_reserved
        with pytest.raises(ClipBusy), store.reserve(long_name(job.clip), 0):
            pass
        checked.append(stage)

    fakes.before = try_to_take
    list(run_local(jobs_of(tmp_path, "a", "b"), config, reporter))
    assert sorted(checked) == sorted(2 * [READ, EXPLAIN, DRAW])
    with store.reserve(long_name(tmp_path / "a.mp4"), 0):
        pass


def test_a_clip_that_is_listed_twice_is_not_said_to_be_in_another_run(
    fakes: Fakes, config, reporter, tmp_path
) -> None:
    first, again = Job(tmp_path / "a.mp4", "a"), Job(tmp_path / "b" / ".." / "a.mp4", "a")
    is_busy = threading.Event()
    waiting = FolderStore.reserve

    def wait(stage: str, job: Job) -> None:
        if stage == DRAW and fakes.is_first(stage):
            assert is_busy.wait(MAX_SECONDS)

    def reserve(store: FolderStore, name: str, wait_seconds: float):
        if wait_seconds:  # put off
            is_busy.set()
        return waiting(store, name, wait_seconds)

    fakes.before = wait
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FolderStore, "reserve", reserve)
        records = list(run_local([first, again], config, reporter))
    assert {Path(record.clip) for record in records} == {first.clip, again.clip}
    assert not any("another run" in text for text in reporter.texts("info"))


def test_messages_come_from_one_thread_and_progress_from_the_network(
    fakes: Fakes, config, tmp_path
) -> None:
    threads = set()

    class Watching(RecordingReporter):
        def warning(self, message: str) -> None:
            threads.add(threading.current_thread())
            super().warning(message)

    reporter = Watching()
    list(run_local(jobs_of(tmp_path, "a", "b"), config, reporter))
    assert threads == {threading.main_thread()}
    expected = [f"{name} {stage} begins" for name in "ab" for stage in (READ, EXPLAIN, DRAW)]
    assert sorted(reporter.texts("warning")) == sorted(expected)
    assert reporter.stages == {EXPLAIN: [1, 1]}


def test_an_output_folder_that_cannot_be_locked_fails_each_clip(
    fakes: Fakes, config, reporter, tmp_path
) -> None:
    (tmp_path / "out").write_text("a file")
    records = list(run_local(jobs_of(tmp_path, "a", "b"), config, reporter))
    assert [record.status for record in records] == [FAILED, FAILED]
    assert all("cannot write to" in (record.error or "") for record in records)
