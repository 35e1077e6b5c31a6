"""The run report: what is said of each clip, results.jsonl, and the counts at the end."""

from __future__ import annotations

import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import (
    BUNDLED,
    Run,
    assert_one_error_line,
    command,
    records_in,
    results_in,
)
from tests.support.explanations import MOTION_TEST
from tests.support.gallery import gallery_rows
from tests.support.media import write_clip
from tests.support.reporting import RecordingReporter
from video_cam.batch.jobs import DONE, FAILED, SKIPPED, ClipRecord, Job
from video_cam.batch.report import SHOWN_FAILURES, RunReport
from video_cam.batch.results_file import RESULTS
from video_cam.batch.store import FolderStore
from video_cam.rendering.result_folder import SUMMARY_FILE
from video_cam.truth.clip_truth import ClipTruth
from video_cam.utils.notes import WARNING, Note
from video_cam.utils.reporter import SilentReporter

QUICK = (*BUNDLED, "--max-keyframes", "1", "--align", "receptive-field", "--detail", "none")
GROW = {"class_id": 4, "label": "grow", "score": 0.1, "shown": "10%"}
SPIN = {"class_id": 1, "label": "spin", "score": 0.9, "shown": "90%"}
UNTRAINED = asdict(Note("untrained", WARNING))
SHORT = asdict(Note("frames are repeated"))


@pytest.fixture
def store(out: Path) -> FolderStore:
    return FolderStore(out)


@pytest.fixture
def reporter() -> RecordingReporter:
    return RecordingReporter()


def jobs(*names: str) -> list[Job]:
    return [Job(Path(f"{name}.mp4"), name) for name in names]


def record(store: FolderStore, name: str, status: str = DONE, **values: Any) -> ClipRecord:
    """A record, with a folder of results where there would be one."""
    if status == FAILED:
        return ClipRecord(f"{name}.mp4", None, FAILED, error=f"{name}.mp4: bad", **values)
    (store.root / name).mkdir(parents=True, exist_ok=True)
    (store.root / name / SUMMARY_FILE).write_text("{}")
    values = {"targets": (SPIN,), "prediction": SPIN, "duration_seconds": 2.0} | values
    return ClipRecord(f"{name}.mp4", name, status, **values)


def statuses(out: Path) -> list[tuple[str, str]]:
    return [(line["clip"], line["status"]) for line in records_in(out)]


def test_each_clip_is_reported_and_written_as_it_comes(store, reporter, out: Path) -> None:
    with RunReport(jobs("a", "b", "c", "d"), store, reporter) as report:
        check = {"sentence": "marked region carries the score", "drop": 0.5}
        motion_test = MOTION_TEST | {"others": [{"label": "grow", "sentence": "it does not"}]}
        values = {"check": check, "motion_test": motion_test, "notes": (UNTRAINED, SHORT)}
        values["frame_test"] = {"sentence": "one frame is enough"}
        report.add(record(store, "a", seconds=1.25, **values))
        assert reporter.texts("info") == [
            "note: frames are repeated",
            "check: marked region carries the score",
            f"motion test: {MOTION_TEST['sentence']}",
            "motion test of grow: it does not",
            "frame test: one frame is enough",
            f"a.mp4: spin 90%; 1.2 s; see {out / 'a' / 'index.html'}",
        ]
        assert reporter.texts("warning") == ["a.mp4: untrained"]
        assert statuses(out) == [("a.mp4", DONE)]
        report.add(record(store, "b", targets=(GROW,)))
        assert "b.mp4: grow 10% (predicted spin 90%); " in reporter.texts("info")[-1]
        report.add(record(store, "c", SKIPPED))
        expected = f"c.mp4: finished before, nothing has changed; see {out / 'c' / 'index.html'}"
        assert reporter.texts("info")[-1] == expected
        report.add(record(store, "d", FAILED))
        assert reporter.texts("error") == ["d.mp4: bad"]
        assert report.num_failed == 1
    assert reporter.messages[-2:] == [
        ("info", f"2 done, 1 skipped, 1 failed; see {out / 'index.html'}"),
        ("error", "1 of 4 clips failed: d.mp4"),
    ]
    assert [name for name, _ in reporter.events] == ["clip"] * 4 + ["end"]
    counts = {"done": 2, "skipped": 1, "failed": 1, "not_tried": 0}
    assert reporter.events[-1] == ("end", counts)
    rows = [(row["clip"], row["status"]) for row in gallery_rows(out / "index.html")]
    assert rows == [("a.mp4", DONE), ("b.mp4", DONE), ("c.mp4", SKIPPED), ("d.mp4", FAILED)]


def test_a_long_name_of_a_class_leaves_room_for_the_rest_of_the_line(store, reporter) -> None:
    long = SPIN | {"label": "x" * 5000}
    with RunReport(jobs("a"), store, reporter) as report:
        report.add(record(store, "a", targets=(GROW,), prediction=long))
    assert len(reporter.texts("info")[0]) < 400 and "; see " in reporter.texts("info")[0]


def test_for_programs_a_clip_is_an_event_and_not_a_text(store) -> None:
    reporter = RecordingReporter(as_json=True)
    with RunReport(jobs("a"), store, reporter) as report:
        report.add(record(store, "a", notes=(UNTRAINED,)))
    assert reporter.messages == []
    assert reporter.events[0][1]["notes"] == [UNTRAINED]


def test_a_run_that_is_interrupted_reports_what_it_has(store, reporter, out: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunReport(jobs("a", "b"), store, reporter) as report:
        report.add(record(store, "a"))
        raise KeyboardInterrupt
    assert reporter.texts("info")[-1].startswith("1 done, 1 not tried; see")
    assert [row["clip"] for row in gallery_rows(out / "index.html")] == ["a.mp4"]
    with pytest.raises(KeyboardInterrupt), RunReport(jobs("a"), store, RecordingReporter()):
        raise KeyboardInterrupt
    assert statuses(out) == [("a.mp4", DONE)]


def test_a_skipped_clip_gets_no_second_line(store, reporter, out: Path) -> None:
    for _ in range(2):
        with RunReport(jobs("a"), store, reporter) as report:
            report.add(record(store, "a", SKIPPED))
    assert statuses(out) == [("a.mp4", SKIPPED)]
    with RunReport(jobs("a"), store, reporter) as report:
        report.add(record(store, "a", FAILED))
    with RunReport(jobs("a"), store, reporter) as report:  # the last line says that it failed
        report.add(record(store, "a", SKIPPED))
    assert statuses(out) == [("a.mp4", SKIPPED), ("a.mp4", FAILED), ("a.mp4", SKIPPED)]


def test_a_record_that_cannot_be_written_comes_with_a_later_one(
    store, reporter, out: Path, monkeypatch
) -> None:
    append = store.append

    def fail(records: object) -> None:
        raise OSError("No space left")

    with RunReport(jobs("a", "b"), store, reporter) as report:
        monkeypatch.setattr(store, "append", fail)
        report.add(record(store, "a"))
        assert not (out / RESULTS).exists()
        monkeypatch.setattr(store, "append", append)
        report.add(record(store, "b"))
        assert statuses(out) == [("a.mp4", DONE), ("b.mp4", DONE)]
    assert reporter.texts("error") == []


def test_records_that_are_never_written_are_reported(store, reporter, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("No space left")

    monkeypatch.setattr(store, "append", fail)
    monkeypatch.setattr(store, "write_index", fail)
    with RunReport(jobs("a"), store, reporter) as report:
        report.add(record(store, "a"))
    assert reporter.texts("error") == [
        "index.html of all clips could not be written: No space left",
        "1 lines could not be added to results.jsonl: No space left",
    ]
    assert not report.is_complete and report.num_failed == 0


@pytest.mark.parametrize("method", ["append", "write_index"])
def test_a_run_without_its_lists_is_not_complete(method: str, store, reporter, monkeypatch) -> None:
    with RunReport(jobs("a"), store, reporter) as report:
        report.add(record(store, "a"))
    assert report.is_complete

    def fail(*_: object) -> None:
        raise OSError("No space left")

    monkeypatch.setattr(store, method, fail)
    with RunReport(jobs("a"), store, reporter) as report:
        report.add(record(store, "a"))
    assert not report.is_complete


def test_a_clip_is_written_before_it_is_reported(store, out: Path) -> None:
    class Gone(RecordingReporter):
        def event(self, name: str, **values: Any) -> None:
            raise RuntimeError("the report was broken off")

    with pytest.raises(RuntimeError), RunReport(jobs("a", "b"), store, Gone()) as report:
        report.add(record(store, "a"))
    assert statuses(out) == [("a.mp4", DONE)]


def test_results_that_are_removed_during_the_run_have_failed(store, reporter, out: Path) -> None:
    with RunReport(jobs("a", "b"), store, reporter) as report:
        report.add(record(store, "a"))
        (out / "a" / SUMMARY_FILE).unlink()
        report.add(record(store, "b"))
    assert report.num_failed == 1
    assert statuses(out) == [("a.mp4", DONE), ("b.mp4", DONE), ("a.mp4", FAILED)]
    assert reporter.texts("error") == [
        "a.mp4: its results were removed during the run; run again",
        "1 of 2 clips failed: a.mp4",
    ]


def test_ground_truth_of_an_earlier_run_is_told(store, reporter) -> None:
    """Beside the number of clips for which none was given now, the accuracy would seem wrong."""
    truth = {"name": "spin", "label": "spin", "rank": 1, "correct": True, "num_classes": 2}
    now, before, without = jobs("a", "b", "c")
    now = replace(now, truth=ClipTruth("spin"))
    with RunReport([now, before, without], store, reporter) as report:
        report.add(record(store, "a", SKIPPED, truth=truth))
        report.add(record(store, "b", SKIPPED, truth=truth))
        report.add(record(store, "c", SKIPPED))
    [said] = [text for text in reporter.texts("info") if text.startswith("ground truth")]
    assert "2 of 2 right" in said
    assert said.endswith("; that of 1 clip was given to an earlier run")
    again = RecordingReporter()
    with RunReport([now], store, again) as report:
        report.add(record(store, "a", SKIPPED, truth=truth))
    assert "earlier run" not in "".join(again.texts("info"))


def test_a_clip_that_was_finished_before_and_is_removed_is_counted_once(
    store, reporter, out: Path
) -> None:
    with RunReport(jobs("a"), store, RecordingReporter()) as report:
        report.add(record(store, "a", relative="in/a.mp4"))
    with RunReport(jobs("a", "b"), store, reporter) as report:
        report.add(record(store, "a", SKIPPED, relative="in/a.mp4"))
        report.add(record(store, "b"))
        (out / "a" / SUMMARY_FILE).unlink()
    assert reporter.events[-1][1] == {"done": 1, "skipped": 0, "failed": 1, "not_tried": 0}
    last = records_in(out)[-1]
    assert (last["status"], last["folder"], last["relative"]) == (FAILED, None, "in/a.mp4")


def test_records_are_not_kept(store, monkeypatch) -> None:
    """Of a record of more than 3 kB, its path, its folder and counts are kept."""
    monkeypatch.setattr(store, "append", lambda records: None)
    done = record(store, "v")
    names = [f"v{number}" for number in range(300)]
    with RunReport(jobs("v"), store, SilentReporter()) as report:
        tracemalloc.start()
        for name in names:
            note = {"text": "x" * 3000 + name, "kind": "information"}
            report.add(replace(done, clip=f"{name}.mp4", folder=name, notes=(note,)))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held / len(names) < 1500


def test_a_long_list_of_failures_is_cut(store, reporter) -> None:
    names = [f"v{number}" for number in range(SHOWN_FAILURES + 1)]
    with RunReport(jobs(*names), store, reporter) as report:
        for name in names:
            report.add(record(store, name, FAILED))
    last = reporter.texts("error")[-1]
    assert last.startswith("21 of 21 clips failed: v0.mp4, ") and last.endswith(", v19.mp4, ...")


def test_one_line_for_each_clip(run: Run, out: Path, tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.mp4", 4)
    (tmp_path / "bad.mp4").write_text("no video")
    assert run("--clip", small, *QUICK)[0] == 0
    assert run("--clip", tmp_path / "bad.mp4", *QUICK)[0] == 1
    assert run("--clip", small, *QUICK)[0] == 0  # skipped: the file has it as done already
    done, failed = records_in(out)
    summary = json.loads((out / "small" / "summary.json").read_text())
    assert done["prediction"] == summary["predictions"][0]
    assert done["duration_seconds"] == summary["clip"]["duration_seconds"]
    assert {k: done[k] for k in ("clip", "folder", "status", "error", "check")} == {
        "clip": str(small), "folder": "small", "status": "done", "error": None,
        "check": summary.get("check"),
    }  # fmt: skip
    assert (failed["status"], failed["folder"], failed["prediction"]) == ("failed", None, None)
    assert failed["error"].startswith(f"{tmp_path / 'bad.mp4'}: not a video")
    rows = [(row["name"], row["results"]) for row in gallery_rows(out / "index.html")]
    assert rows == [("small.mp4", "small"), ("bad.mp4", None)]


def test_json_lines_of_the_command(run: Run, tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.mp4", 4)
    status, said, err = run("--clip", small, *QUICK, "--json")
    events = [json.loads(line) for line in said.splitlines()]
    assert (status, err) == (0, "")
    assert {event["event"] for event in events} == {"message", "progress", "clip", "end"}
    stages = {e["stage"]: (e["done"], e["total"]) for e in events if e["event"] == "progress"}
    assert stages["explain"] == (1, 1) and stages["render"] == (4, 4)
    assert events[-1] == {"event": "end", "done": 1, "skipped": 0, "failed": 0, "not_tried": 0}
    assert events[-2]["clip"] == str(small)


def test_lists_that_cannot_be_written(run: Run, out: Path, tmp_path: Path) -> None:
    """The results are there all the same, and an earlier page is not replaced by an empty one."""
    small = write_clip(tmp_path / "small.mp4", 4)
    (out / RESULTS).mkdir(parents=True)
    (out / "index.html").write_text("earlier")
    status, _, err = run("--clip", small, *QUICK)
    first, second = err.splitlines()
    assert status == 1 and results_in(out) == ["small"]
    assert first.startswith("error: index.html of all clips could not be written: ")
    assert second.startswith("error: 1 lines could not be added to results.jsonl: ")
    assert (out / "index.html").read_text() == "earlier"


def test_a_quiet_command_prints_errors_only(run: Run, tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.mp4", 4)
    assert run("--clip", small, *QUICK, "--quiet") == (0, "", "")
    status, said, err = run("--clip", tmp_path / "bad*.mp4", *QUICK, "--quiet")
    assert said == ""
    assert_one_error_line(status, err, 2, "no such clip")


def test_two_commands_share_the_work(tmp_path: Path, out: Path) -> None:
    """Both are given all clips; each clip is processed once."""
    (tmp_path / "in").mkdir()
    for number in range(5):
        write_clip(tmp_path / "in" / f"{number}.mp4", 4)
    words = ("--clip", tmp_path / "in", *QUICK, "--output-dir", out)
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda _: command(*words), range(2)))
    assert [(end.returncode, end.stderr) for end in ends] == [(0, "")] * 2
    assert results_in(out) == list("01234")
    done = [record["clip"] for record in records_in(out) if record["status"] == DONE]
    assert sorted(done) == [str(tmp_path / "in" / f"{number}.mp4") for number in range(5)]
