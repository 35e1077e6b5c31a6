"""The run report: each clip's record as it comes, results.jsonl, and the counts at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from video_cam.batch.jobs import DONE, FAILED, SKIPPED, ClipRecord, Job
from video_cam.batch.results_file import RESULTS
from video_cam.batch.store import Store
from video_cam.errors import UsageError
from video_cam.evaluation.answers import sentences
from video_cam.evaluation.counting import AnswersCounter
from video_cam.utils.notes import WARNING
from video_cam.utils.reporter import Reporter
from video_cam.utils.text import shortened

MAX_LABEL_LETTERS = 100  # of a class's name in a clip's line
SHOWN_FAILURES = 20  # paths in the last line of a run


class RunReport:
    """Reports the records of a run and writes results.jsonl and index.html.

    A context manager: at its end, also after an error, files and counts are up to date. A record
    that cannot be written (a full disk) is written together with a later one.
    """

    def __init__(self, jobs: Sequence[Job], store: Store, reporter: Reporter) -> None:
        self._jobs, self._store, self._reporter = jobs, store, reporter
        self._counts: Counter[str] = Counter()  # status -> clips
        # Of clips with results: status -> folder -> clip.
        self._folders: dict[str, dict[str, str]] = {DONE: {}, SKIPPED: {}}
        self._failed: list[str] = []  # the first clips that failed
        self._answers = AnswersCounter()
        self._clips_with_truth = {str(job.clip) for job in jobs if job.truth is not None}
        self._num_judged_before = 0  # clips whose ground truth was given to an earlier run
        self._unwritten: list[dict[str, Any]] = []
        # Of each finished clip in results.jsonl and the digest of its summary, the hash: a million
        # paths and digests would take hundreds of megabytes.
        self._finished_before: set[int] = set()
        self._write_error = ""
        self._has_index = True

    @property
    def num_failed(self) -> int:
        """How many clips failed."""
        return self._counts[FAILED]

    @property
    def num_not_tried(self) -> int:
        """How many clips have no record."""
        return len(self._jobs) - self._counts.total()

    @property
    def is_complete(self) -> bool:
        """Whether no clip failed and, at the end, results.jsonl and index.html are written."""
        return not self.num_failed and not self._unwritten and self._has_index

    def __enter__(self) -> RunReport:
        with suppress(OSError):  # reported when a line cannot be added
            for record in self._store.records():
                if record.get("status") in (DONE, SKIPPED):
                    result = hash((record["clip"], record.get("summary_sha256")))
                    self._finished_before.add(result)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._counts:
            return
        self._write_records()
        self._find_removed_results()
        self._write_index()
        if self._unwritten:
            self._reporter.error(
                f"{len(self._unwritten)} lines could not be added to {RESULTS}: {self._write_error}"
            )
        self._report_answers()
        self._report_counts()

    def add(self, record: ClipRecord) -> None:
        """Write a clip's record to results.jsonl, then report it.

        A skipped clip is not written again where the file has the same results already.
        """
        fields = record.as_json()
        self._counts[record.status] += 1
        self._answers.add(fields)
        if record.status == SKIPPED and record.truth:
            self._num_judged_before += record.clip not in self._clips_with_truth
        if record.folder is not None:
            self._folders[record.status][record.folder] = record.clip
        if record.status == FAILED:
            self._add_failed(record.clip)
        is_written = hash((record.clip, record.summary_sha256)) in self._finished_before
        if record.status != SKIPPED or not is_written:
            self._unwritten.append(fields)
            self._write_records()
        self._report(record)

    def _report(self, record: ClipRecord) -> None:
        reporter = self._reporter
        reporter.event("clip", **record.as_json())
        if record.status == FAILED:
            reporter.error(record.error or "")
            return
        if reporter.as_json:
            return
        page = self._store.shown(f"{record.folder}/index.html")
        if record.status == SKIPPED:
            reporter.info(f"{record.clip}: finished before, nothing has changed; see {page}")
            return
        for note in record.notes:
            if note["kind"] == WARNING:
                reporter.warning(f"{record.clip}: {note['text']}")
            else:
                reporter.info(f"note: {note['text']}")
        if record.check:
            reporter.info(f"check: {record.check['sentence']}")
        if record.motion_test:
            reporter.info(f"motion test: {record.motion_test['sentence']}")
            for other in record.motion_test["others"]:
                reporter.info(f"motion test of {_short(other)}: {other['sentence']}")
        if record.frame_test:
            reporter.info(f"frame test: {record.frame_test['sentence']}")
        targets = ", ".join(f"{_short(target)} {target['shown']}" for target in record.targets)
        best = record.prediction
        if best and best["class_id"] not in [target["class_id"] for target in record.targets]:
            targets += f" (predicted {_short(best)} {best['shown']})"
        truth = record.truth or {}
        wrong = f"; wrong, it is {truth['label']}" if truth.get("correct") is False else ""
        reporter.info(f"{record.clip}: {targets}{wrong}; {record.seconds:.1f} s; see {page}")

    def _write_records(self) -> None:
        try:
            self._store.append(self._unwritten)
        except (OSError, UsageError) as error:
            self._write_error = str(error)
            return  # reported at the end, if no later attempt succeeds
        self._unwritten.clear()

    def _write_index(self) -> None:
        try:
            self._store.write_index()
        except (OSError, UsageError) as error:
            self._has_index = False
            self._reporter.error(f"index.html of all clips could not be written: {error}")

    def _add_failed(self, clip: str) -> None:
        if len(self._failed) < SHOWN_FAILURES:
            self._failed.append(clip)

    def _find_removed_results(self) -> None:
        """Record clips as failed whose folder was removed during the run."""
        removed = {
            clips[folder]: status
            for status, clips in self._folders.items()
            for folder in self._store.without_results(list(clips))
        }
        for record in self._records_of(removed):
            clip = record["clip"]
            error = f"{clip}: its results were removed during the run; run again"
            self._counts[removed[clip]] -= 1
            self._counts[FAILED] += 1
            self._add_failed(clip)
            self._unwritten.append({**record, "status": FAILED, "folder": None, "error": error})
            self._reporter.error(error)
        self._write_records()

    def _records_of(self, clips: Collection[str]) -> list[dict[str, Any]]:
        """The last record of each of these clips; without details where it was removed, too."""
        found = {clip: ClipRecord(clip, None, FAILED).as_json() for clip in clips}
        if found:
            with suppress(OSError, UsageError):  # reported where nothing can be written, either
                found |= {r["clip"]: r for r in self._store.records() if r["clip"] in found}
        return list(
            (found | {r["clip"]: r for r in self._unwritten if r["clip"] in found}).values()
        )

    def _report_answers(self) -> None:
        """What the ground truth says about the clips of this run."""
        answers = self._answers.answers()
        if answers is None:
            return
        self._reporter.event("truth", **answers.as_json())
        said = sentences(answers)
        if count := self._num_judged_before:
            said.append(f"that of {count} clip{'s' * (count > 1)} was given to an earlier run")
        if said and not self._reporter.as_json:
            self._reporter.info(f"ground truth: {'; '.join(said)}")

    def _report_counts(self) -> None:
        counts = {status: self._counts[status] for status in (DONE, SKIPPED, FAILED)}
        not_tried = self.num_not_tried
        self._reporter.event("end", **counts, not_tried=not_tried)
        if len(self._jobs) == 1:
            return
        shown = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        rest = f", {not_tried} not tried" if not_tried else ""
        self._reporter.info(f"{shown}{rest}; see {self._store.shown('index.html')}")
        if self._failed:
            more = ", ..." if self.num_failed > SHOWN_FAILURES else ""
            self._reporter.error(
                f"{self.num_failed} of {len(self._jobs)} clips failed: "
                f"{', '.join(self._failed)}{more}"
            )


def _short(target: dict[str, Any]) -> str:
    return shortened(target["label"], MAX_LABEL_LETTERS)
