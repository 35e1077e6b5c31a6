"""Clips on this machine: workers that hang or die, full disks, runs that are killed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.command import BUNDLED, ROOT, SCRIPT, command, records_in, results_in
from tests.support.media import write_clip
from tests.support.records import latest_in
from tests.support.reporting import RecordingReporter
from video_cam import ClipError, UsageError, VideoCamError
from video_cam.batch import network, supervision
from video_cam.batch.jobs import DONE, FAILED, ClipRecord, Job
from video_cam.batch.local import run_in_this_process, run_local
from video_cam.batch.results_file import RESULTS
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.batch.stage import StagedJob, Task, job_of
from video_cam.batch.store import FolderStore
from video_cam.batch.supervision import SupervisedWorker
from video_cam.batch.worker import WorkerDied, WorkerTimedOut
from video_cam.config import ExplainConfig, RenderConfig
from video_cam.rendering.result_folder import SUMMARY_FILE, replace_folder

FAULTY = ROOT / "tests" / "support" / "faulty"


class FakeWorker:
    """In place of a worker: does to a clip what its name says.

    Attributes:
        jobs: (name, seconds to wait for another run), in order.
    """

    jobs: list[tuple[str, float]]

    network = None

    def __init__(self, config: RunConfig, reporter: RecordingReporter, facts: bytes) -> None:
        FakeWorker.jobs = []

    def start(self) -> None:
        pass

    def run(
        self, task: Task, *, wait_seconds: float, time_limit: float | None
    ) -> ClipRecord | None:
        job = job_of(task)
        FakeWorker.jobs.append((job.name, wait_seconds))
        if "busy" in job.name and not wait_seconds:
            return None
        if "crashes" in job.name:
            raise WorkerDied("the worker process was ended by SIGSEGV")
        if "hangs" in job.name:
            raise WorkerTimedOut(f"given up after {time_limit:g} s")
        return ClipRecord(str(job.clip), job.name, DONE)

    def close(self) -> None:
        FakeWorker.jobs.append(("closed", 0))


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


def jobs_of(folder: Path, *names: str) -> list[Job]:
    return [Job(folder / name, name) for name in names]


def test_workers_that_hang_or_die_cost_their_clips_only(
    monkeypatch, tmp_path: Path, reporter
) -> None:
    monkeypatch.setattr(supervision, "Worker", FakeWorker)
    jobs = jobs_of(tmp_path, "busy", "crashes", "hangs", "fine")
    config = RunConfig(time_limit=7.0, output_dir=str(tmp_path / "out"))
    remains = []
    for name in ("crashes", "hangs"):  # what a killed worker leaves
        with replace_folder(tmp_path / "out" / name) as partial:
            (partial / SUMMARY_FILE).touch()
        partial.mkdir()
        remains.append(partial)
    records = list(run_local(jobs, config, reporter))
    # The clip that another run is processing comes last.
    assert [(Path(record.clip).name, record.status) for record in records] == [
        ("crashes", FAILED), ("hangs", FAILED), ("fine", DONE), ("busy", DONE),
    ]  # fmt: skip
    assert FakeWorker.jobs == [
        ("busy", 0), ("crashes", 0), ("crashes", 0), ("hangs", 0), ("fine", 0),
        ("busy", supervision.WAIT_SECONDS), ("closed", 0),
    ]  # fmt: skip
    assert [record.error for record in records[:2]] == [
        f"{tmp_path / 'crashes'}: the worker process was ended by SIGSEGV, 2 times",
        f"{tmp_path / 'hangs'}: given up after 7 s",
    ]
    assert not any(partial.exists() for partial in remains)
    assert reporter.texts("info") == [
        f"{tmp_path / 'busy'}: another run is processing it; continuing with the rest"
    ]


def test_a_record_has_the_seconds_of_all_stages(monkeypatch, reporter, tmp_path) -> None:
    monkeypatch.setattr(supervision, "Worker", FakeWorker)
    worker = SupervisedWorker(RunConfig(output_dir=str(tmp_path), time_limit=7.0), reporter)
    [fine, hangs] = jobs_of(tmp_path, "fine", "hangs")
    for job in (fine, hangs):
        record = worker.finish(StagedJob(job, "digest", 5.0, b""))
        assert isinstance(record, ClipRecord) and 5 <= record.seconds < 6


def test_a_worker_that_dies_while_it_loads_the_network(monkeypatch, reporter) -> None:
    class DyingWorker(FakeWorker):
        def start(self) -> None:
            raise WorkerDied("the worker process ended with status 1")

    monkeypatch.setattr(supervision, "Worker", DyingWorker)
    with pytest.raises(VideoCamError, match=r"could not be loaded: .* status 1, 2 times$"):
        list(run_local(jobs_of(Path(), "a"), RunConfig(), reporter))

    class DyingOnce(FakeWorker):
        starts = 0

        def start(self) -> None:
            DyingOnce.starts += 1
            if DyingOnce.starts == 1:
                raise WorkerDied("the worker process was ended by SIGKILL")

    monkeypatch.setattr(supervision, "Worker", DyingOnce)
    [record] = run_local(jobs_of(Path(), "a"), RunConfig(), reporter)
    assert (record.status, DyingOnce.starts) == (DONE, 2)


QUICK = RunConfig(model=ModelConfig(name="motion3d"), render=RenderConfig(max_keyframes=1))


def test_a_single_clip_in_this_process(tmp_path: Path, reporter) -> None:
    job = Job(write_clip(tmp_path / "v.mp4", 4), "v")
    config = replace(QUICK, output_dir=str(tmp_path / "out"))
    assert run_in_this_process(job, config, reporter).status == DONE
    assert reporter.stages["render"] == [4, 4]
    with pytest.raises(UsageError, match="unknown class"):
        wrong = replace(config, explain=ExplainConfig(class_ids=("groww",)))
        run_in_this_process(job, wrong, reporter)


def test_a_single_clip_waits_for_another_run(tmp_path: Path, reporter) -> None:
    job = Job(write_clip(tmp_path / "v.mp4", 4), "v")
    config = replace(QUICK, output_dir=str(tmp_path / "out"))
    message = f"{job.clip}: another run is processing it; waiting for it to end"
    claimed = threading.Event()

    def hold_until_the_message() -> None:
        with FolderStore(tmp_path / "out").claim("v", 0):
            claimed.set()
            deadline = time.monotonic() + 60
            while message not in reporter.texts("info") and time.monotonic() < deadline:
                time.sleep(0.01)

    other = threading.Thread(target=hold_until_the_message)
    other.start()
    claimed.wait(60)
    assert run_in_this_process(job, config, reporter).status == DONE
    other.join()
    assert message in reporter.texts("info")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ClipError("no frames"), "no frames"),
        (ValueError("two\nlines"), "ValueError: two lines (--debug shows where)"),
    ],
    ids=["known", "unknown"],
)
def test_an_error_of_a_single_clip(
    error: Exception, line: str, tmp_path: Path, reporter, monkeypatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(network, "load_explainer", fail)
    job = Job(tmp_path / "v.mp4", "v")
    record = run_in_this_process(job, QUICK, reporter)
    assert record.error == f"{job.clip}: {line}"
    with pytest.raises(type(error)):
        run_in_this_process(job, QUICK, reporter, raise_errors=True)


@pytest.mark.slow
def test_a_decoder_that_hangs_and_one_that_dies(tmp_path: Path, out: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("0 fine", "1 dies once", "2 hangs", "3 fine"):
        write_clip(clips / f"{name}.mp4", 4)
    done = command(
        "--clip", clips, *BUNDLED, "--output-dir", out, "--max-keyframes", "1",
        "--align", "receptive-field", "--detail", "none", "--time-limit", 8,
        env=os.environ | {"PYTHONPATH": f"{FAULTY}{os.pathsep}{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {clips / '2 hangs.mp4'}: given up after 8 s: raise --time-limit for more",
        f"error: 1 of 4 clips failed: {clips / '2 hangs.mp4'}",
    ]
    assert results_in(out) == ["0 fine", "1 dies once", "3 fine"]
    states = {Path(record["clip"]).stem: record["status"] for record in records_in(out)}
    assert states == {
        "0 fine": "done",
        "1 dies once": "done",
        "2 hangs": "failed",
        "3 fine": "done",
    }


@pytest.mark.slow
def test_the_command_is_killed_at_random_moments(tmp_path: Path, out: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(4):
        write_clip(clips / f"{number}.mp4", 20)
    words = (
        "--clip", clips, *BUNDLED, "--output-dir", out, "--max-keyframes", "1",
        "--align", "receptive-field", "--detail", "none",
    )  # fmt: skip
    rng = random.Random(1)
    for _ in range(2):
        run = subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert run.stdout is not None
        run.stdout.readline()  # the network is loaded, clips come next
        time.sleep(rng.uniform(0, 1.2))
        run.kill()
        run.wait()
        for folder in results_in(out):
            summary = json.loads((out / folder / SUMMARY_FILE).read_text())
            assert summary["clip"]["num_frames"] == 20
            assert (out / folder / "annotated.mp4").exists()
    done = command(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert results_in(out) == ["0", "1", "2", "3"]
    records = latest_in((out / RESULTS).read_bytes())
    assert len(records) == 4 and {r["status"] for r in records} <= {"done", "skipped"}
    assert not list(out.glob(".*.partial")) and not list(out.glob(".*.old"))
