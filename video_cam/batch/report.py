"""What became of every clip: told as it happens, kept in results.jsonl, summed up at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType

from video_cam.batch.jobs import DONE, FAILED, SKIPPED, Job, Row
from video_cam.batch.store import Store
from video_cam.cli.console import Console
from video_cam.errors import UsageError
from video_cam.rendering.result_folder import SUMMARY_FILE

FAILURES_TOLD = 20


class Tally:
    """A context for a run: add a row for each clip; at its end the list is right, whatever came.

    A row that cannot be written (a full disk) is kept and tried again with the next one.
    """

    def __init__(self, jobs: Sequence[Job], store: Store, console: Console) -> None:
        self._jobs, self._store, self._console = jobs, store, console
        self._rows: list[Row] = []
        self._unwritten: list[Row] = []
        self._listed: set[str] = set()

    @property
    def num_failed(self) -> int:
        """How many clips failed."""
        return sum(row.status == FAILED for row in self._rows)

    def __enter__(self) -> Tally:
        self._listed = {
            row["clip"] for row in self._store.rows() if row.get("status") in (DONE, SKIPPED)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._rows:
            return
        self._find_lost()
        self._write()
        self._write_index()
        if self._unwritten:
            count = len(self._unwritten)
            self._console.complain(f"{count} lines could not be added to results.jsonl")
        self._sum_up()

    def add(self, row: Row) -> None:
        """Tell of a clip and keep its row. What a list already says is not said again."""
        self._rows.append(row)
        self._tell(row)
        if row.status != SKIPPED or row.clip not in self._listed:
            self._unwritten.append(row)
            self._write()

    def _tell(self, row: Row) -> None:
        console = self._console
        console.event("clip", **row.as_json())
        if row.status == FAILED:
            console.complain(row.error or "")
            return
        if console.as_json:
            return
        page = self._store.shown(f"{row.folder}/index.html")
        if row.status == SKIPPED:
            console.say(f"{row.clip}: finished before, nothing has changed; see {page}")
            return
        for note in row.notes:
            console.say(f"note: {note}")
        if row.check:
            console.say(f"check: {row.check['sentence']}")
        targets = ", ".join(f"{t['label']} {t['shown']}" for t in row.targets)
        best = row.prediction
        if best and best["class_id"] not in [t["class_id"] for t in row.targets]:
            targets += f" (predicted {best['label']} {best['shown']})"
        console.say(f"{row.clip}: {targets}; {row.seconds:.1f} s; see {page}")

    def _write(self) -> None:
        try:
            self._store.append([row.as_json() for row in self._unwritten])
        except (OSError, UsageError):
            return  # told of at the end, if it stays so
        self._unwritten.clear()

    def _write_index(self) -> None:
        try:
            self._store.write_index()
        except (OSError, UsageError) as error:
            self._console.complain(f"index.html of all clips could not be written: {error}")

    def _find_lost(self) -> None:
        """Results that were there and are gone: somebody removed the folder during the run."""
        for number, row in enumerate(self._rows):
            if row.folder is not None and not self._store.holds(row.folder, [SUMMARY_FILE]):
                error = f"{row.clip}: its results were removed during the run; run again"
                lost = replace(row, status=FAILED, folder=None, error=error)
                self._rows[number] = lost
                self._unwritten.append(lost)
                self._console.complain(error)

    def _sum_up(self) -> None:
        done, skipped, failed = (
            [row for row in self._rows if row.status == status]
            for status in (DONE, SKIPPED, FAILED)
        )
        not_tried = len(self._jobs) - len(self._rows)
        counts = {"done": len(done), "skipped": len(skipped), "failed": len(failed)}
        self._console.event("end", **counts, not_tried=not_tried)
        if len(self._jobs) == 1:
            return
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        left = f", {not_tried} not tried" if not_tried else ""
        self._console.say(f"{told}{left}; see {self._store.shown('index.html')}")
        if failed:
            names = ", ".join(row.clip for row in failed[:FAILURES_TOLD])
            more = ", ..." if len(failed) > FAILURES_TOLD else ""
            self._console.complain(
                f"{len(failed)} of {len(self._jobs)} clips failed: {names}{more}"
            )
