"""One clip from its lock to its record, with an explainer that needs no network."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import video_cam
from tests.support.command import records_in, results_in
from tests.support.disk import DiskLog
from tests.support.explainers import FixedExplainer
from tests.support.media import write_clip
from tests.support.records import latest_in
from tests.support.reporting import RecordingReporter
from video_cam import Classifier, ClipError, Explanation, UsageError
from video_cam.batch.inputs import clip_id, long_name
from video_cam.batch.jobs import DONE, FAILED, SKIPPED, Job
from video_cam.batch.network import NetworkExplainer
from video_cam.batch.report import RunReport
from video_cam.batch.results_file import RESULTS
from video_cam.batch.run_config import RunConfig
from video_cam.batch.runner import ClipRunner
from video_cam.batch.store import ClipBusy, FolderStore
from video_cam.config import ExplainConfig, LimitsConfig, RenderConfig
from video_cam.explanation.damage import Damage
from video_cam.pipeline import ClipExplainer
from video_cam.utils.files import sha256_of
from video_cam.utils.notes import Note


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "small.mp4", 4)


@pytest.fixture(scope="module")
def explanation(bundled: Classifier, clip: Path) -> Explanation:
    return video_cam.explain(clip, bundled)


@pytest.fixture
def explainer(explanation: Explanation) -> FixedExplainer:
    return FixedExplainer(explanation)


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return RunConfig(output_dir=str(tmp_path / "out"), render=RenderConfig(max_keyframes=1))


@pytest.fixture
def job(clip: Path) -> Job:
    return Job(clip, "clip")


def test_a_clip_becomes_results_and_a_record(explainer, config, job, tmp_path) -> None:
    runner, reporter = ClipRunner(config, explainer), RecordingReporter()
    record = runner.run(job, reporter.progress)
    assert (record.status, record.folder, record.clip) == (DONE, "clip", str(job.clip))
    assert (tmp_path / "out" / "clip" / "annotated.mp4").is_file()
    summary = runner.store.summary("clip")
    assert summary is not None and summary["clip_id"] == clip_id(job.clip)
    assert record.prediction == summary["predictions"][0]
    assert reporter.stages["explain"] == [1, 1] and "render" in reporter.stages


def test_results_are_on_disk_before_their_line_says_done(
    explainer, config, job, tmp_path, monkeypatch
) -> None:
    runner, log = ClipRunner(config, explainer), DiskLog(monkeypatch)
    with RunReport([job], runner.store, RecordingReporter()) as report:
        report.add(runner.run(job))
    [line] = [at for at, call in enumerate(log.calls) if call[0] == "write" and call[1][:1] == b"{"]
    log.calls = log.calls[:line]
    calls = log.named(tmp_path / "out")
    renamed = calls.index("rename clip")
    files = [p for p in (tmp_path / "out" / "clip").rglob("*") if p.is_file()]
    assert len(files) > 5
    for path in (*files, tmp_path / "out" / "clip"):
        synced = f"sync {path.relative_to(tmp_path / 'out')}"
        assert synced in calls[:renamed] and calls.count(synced) == 1
    assert "sync ." in calls[renamed:]


def test_finished_results_are_kept_as_long_as_nothing_has_changed(
    explainer, config, job, tmp_path
) -> None:
    def status(config: RunConfig = config) -> str:
        return ClipRunner(config, explainer).run(job).status

    folder = tmp_path / "out" / "clip"
    assert status() == DONE
    written = (folder / "summary.json").stat().st_mtime_ns
    assert status() == SKIPPED
    assert (folder / "summary.json").stat().st_mtime_ns == written and len(explainer.clips) == 1
    assert status(replace(config, overwrite=True)) == DONE
    assert status(replace(config, render=RenderConfig(max_keyframes=1, colormap="jet"))) == DONE
    assert status() == DONE
    assert status(replace(config, explain=ExplainConfig(top_k=2))) == DONE
    assert status() == DONE
    explainer.network = "another network"
    assert status() == DONE
    (folder / "annotated.mp4").unlink()
    assert status() == DONE and (folder / "annotated.mp4").is_file()
    assert status() == SKIPPED


def test_damaged_results_are_told_and_computed_again(
    explainer, config, job, tmp_path, caplog
) -> None:
    runner, folder = ClipRunner(config, explainer), tmp_path / "out" / "clip"
    runner.run(job)
    assert runner.run(job).status == SKIPPED and caplog.messages == []
    damages: list[Callable[[], object]] = [
        lambda: (folder / "annotated.mp4").write_bytes(b""),
        lambda: (folder / "page" / "thumbnail.jpg").unlink(),
        lambda: (folder / "summary.json").write_bytes(b""),
        lambda: (folder / "summary.json").write_text("[" * 100_000),
        lambda: change_summary(folder, predictions=[{}]),
        lambda: change_summary(folder, contents=None),
    ]
    for number, damage in enumerate(damages, start=1):
        damage()
        assert runner.run(job).status == DONE, number
        assert len(caplog.messages) == number
        assert caplog.messages[-1].startswith(str(folder))
        assert "computed again" in caplog.messages[-1]
    assert runner.run(job).status == SKIPPED


def change_summary(folder: Path, **changes: object) -> None:
    path = folder / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_record_has_the_digest_of_its_summary(explainer, config, job, clip, tmp_path) -> None:
    def in_file() -> str:
        return latest_in((tmp_path / "out" / RESULTS).read_bytes())[0]["summary_sha256"]

    run_all(config, explainer, [clip])
    folder = tmp_path / "out" / clip.stem
    assert in_file() == sha256_of(folder / "summary.json")
    # Results that are replaced without a record, as by a run that is killed, get one later.
    change_summary(folder, notes=[asdict(Note("replaced"))])
    run_all(config, explainer, [clip])
    assert in_file() == sha256_of(folder / "summary.json")
    run_all(config, explainer, [clip])
    assert len(records_in(tmp_path / "out")) == 2


def test_strict_runs_a_clip_again_whose_finished_results_tell_of_damage(
    explainer, config, job
) -> None:
    strict = replace(config, explain=ExplainConfig(strict=True))
    assert ClipRunner(config, explainer).run(job).status == DONE
    assert ClipRunner(strict, explainer).run(job).status == SKIPPED
    explainer.explanation = replace(explainer.explanation, damage=Damage(corrupt_frames=1))
    assert ClipRunner(replace(config, overwrite=True), explainer).run(job).status == DONE
    assert ClipRunner(config, explainer).run(job).status == SKIPPED
    assert ClipRunner(strict, explainer).run(job).status == DONE  # this explainer refuses nothing
    assert explainer.configs[-1].strict


def test_the_classes_of_a_list_replace_those_of_the_run(explainer, config, job) -> None:
    config = replace(config, explain=ExplainConfig(class_ids=("spin",)), overwrite=True)
    runner = ClipRunner(config, explainer)
    runner.run(job)
    runner.run(replace(job, class_ids=("grow", "7")))
    assert [used.class_ids for used in explainer.configs] == [("spin",), ("grow", "7")]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ClipError("no frames"), "no frames"),
        (UsageError("no such layer"), "no such layer"),
        (ValueError("two\nlines"), "ValueError: two lines"),
        (OSError(errno.ENOSPC, "No space left"), "the disk is full: free some space"),
        (OSError(errno.EIO, "Input/output error"), "OSError: [Errno 5] Input/output error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_becomes_the_record_of_a_failed_clip(
    error: Exception, line: str, explainer, config, job, tmp_path
) -> None:
    def fail(path: str) -> None:
        raise error

    explainer.before = fail
    runner = ClipRunner(config, explainer)
    record = runner.run(job)
    assert record.status == FAILED and record.folder is None
    assert record.error is not None and record.error.startswith(f"{job.clip}: {line}")
    assert not (tmp_path / "out" / "clip").exists()
    with pytest.raises(ClipError if "disk is full" in line else type(error)):
        runner.run_or_raise(job)


def test_a_missing_clip_fails_before_it_is_explained(explainer, config, tmp_path) -> None:
    record = ClipRunner(config, explainer).run(Job(tmp_path / "missing.mp4", "missing"))
    assert record.error is not None and "no such file" in record.error
    assert explainer.clips == []


def test_the_limits_hold_where_the_clip_is_opened(explainer, config, job) -> None:
    limited = replace(config, limits=LimitsConfig(max_frames=3))
    record = ClipRunner(limited, explainer).run(job)
    assert record.error is not None and "more than 3 frames" in record.error
    assert ClipRunner(config, explainer).run(job).status == DONE


def test_a_clip_that_another_run_is_processing(explainer, config, job, tmp_path) -> None:
    runner = ClipRunner(config, explainer)
    with FolderStore(tmp_path / "out").claim("clip", 0), pytest.raises(ClipBusy):
        runner.run(job, wait_seconds=0.05)
    assert explainer.clips == []
    assert runner.run(job).status == DONE


def test_another_clips_results_are_not_replaced(explainer, config, job, tmp_path) -> None:
    """They came into the planned folder after the run had planned."""
    other = Job(Path(shutil.copy(job.clip, tmp_path / "other.mp4")), "clip")
    runner = ClipRunner(config, explainer)
    assert runner.run(other).folder == "clip"
    record = runner.run(job)
    assert (record.status, record.folder) == (DONE, long_name(job.clip))
    assert (runner.store.owner("clip"), runner.store.owner(long_name(job.clip))) == (
        clip_id(other.clip),
        clip_id(job.clip),
    )
    assert runner.run(job).status == SKIPPED


def test_other_folders_are_not_replaced(explainer, config, job, tmp_path) -> None:
    (tmp_path / "out" / "clip").mkdir(parents=True)
    (tmp_path / "out" / "clip" / "thesis.tex").touch()
    record = ClipRunner(config, explainer).run(job)
    assert record.error is not None and "holds no results of video_cam" in record.error
    assert [p.name for p in (tmp_path / "out" / "clip").iterdir()] == ["thesis.tex"]


def run_all(config: RunConfig, explainer: ClipExplainer, clips: list[Path]) -> RecordingReporter:
    """Jobs one after another, with their report."""
    runner, reporter = ClipRunner(config, explainer), RecordingReporter()
    jobs = [Job(clip, clip.stem) for clip in clips]
    with RunReport(jobs, runner.store, reporter) as report:
        for job in jobs:
            report.add(runner.run(job))
    return reporter


def statuses(out: Path) -> dict[str, str]:
    records = latest_in((out / RESULTS).read_bytes())
    return {Path(record["clip"]).stem: record["status"] for record in records}


def test_an_output_folder_that_is_removed_during_the_run(
    explainer, config, clip: Path, out: Path, tmp_path: Path
) -> None:
    clips = [Path(shutil.copy(clip, tmp_path / f"{name}.mp4")) for name in ("0", "1 removes", "2")]
    explainer.before = lambda path: shutil.rmtree(out) if "removes" in path else None
    reporter = run_all(config, explainer, clips)
    assert f"{clips[0]}: its results were removed during the run; run again" in reporter.texts(
        "error"
    )
    assert statuses(out) == {"0": FAILED, "1 removes": DONE, "2": DONE}
    assert results_in(out) == ["1 removes", "2"]
    explainer.before = lambda path: None
    assert run_all(config, explainer, clips).texts("error") == []
    assert results_in(out) == ["0", "1 removes", "2"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 500 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(
    small_disk: Path, config, bundled: Classifier, clip: Path, sample_clip: Path, tmp_path: Path
) -> None:
    clips = [
        Path(shutil.copy(source, tmp_path / f"{name}.mp4"))
        for name, source in (("0 small", clip), ("1 large", sample_clip), ("2 small", clip))
    ]
    out = small_disk / "out"
    config = replace(config, output_dir=str(out), explain=ExplainConfig(check=False))
    reporter = run_all(config, NetworkExplainer(bundled), clips)
    [error] = [line for line in reporter.texts("error") if line.startswith(f"{clips[1]}: ")]
    assert error.endswith("the disk is full: free some space, then run again")
    states = statuses(out)
    assert states["0 small"] == DONE and states["1 large"] == FAILED
    assert set(results_in(out)) == {name for name, status in states.items() if status == DONE}
    assert not list(out.glob(".*.partial"))
    # With more space the same run does the rest, and only that.
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    again = run_all(config, NetworkExplainer(bundled), clips)
    assert again.texts("error") == []
    assert results_in(out) == ["0 small", "1 large", "2 small"]
    assert any(line.startswith(f"{clips[0]}: finished before") for line in again.texts("info"))
