"""What bookkeeping costs for many clips: everything but explaining and drawing them.

    python -m benchmarks.speed.many_clips [--clips 100000] [--cpu]

The clips are empty files and their results are summaries alone. Planned is a list of them, once
with a new output folder and once with one that holds the results of half of them. The last column
is 10 where a step takes as long for each clip of many as for each of few, and 1 where the number
of clips does not matter. With --cpu the CPU time of this process is counted, which other work on
the machine does not change, and waiting for the disk is not in it. The page is opened where
Playwright and Chromium are installed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from video_cam.batch.inputs import Clips, clip_id, find_clips
from video_cam.batch.jobs import DONE, ClipRecord, Job, plan_jobs
from video_cam.batch.report import RunReport
from video_cam.batch.store import FolderStore
from video_cam.rendering.result_folder import SUMMARY_FILE
from video_cam.utils.reporter import SilentReporter

CLIPS_PER_FOLDER = 1000
ADDED = 200  # records, to time the addition of one
SUMMARY_BYTES = 10_000  # of a clip of ten seconds
CLASS = {"class_id": 3, "label": "a class of some words", "score": 0.75, "shown": "75%"}
Seconds = Callable[[Callable[[], object]], float]  # of one call
CHECK = {"sentence": "What the check of a map says takes about this many letters.", "drop": 0.5}


def main() -> None:
    """Print a table of durations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--cpu", action="store_true")
    parsed = parser.parse_args()
    count, clock = parsed.clips, time.process_time if parsed.cpu else time.perf_counter
    fewer, all_clips = (_measure(n, partial(_seconds, clock)) for n in (max(count // 10, 1), count))
    print(f"{count} clips: seconds, and their ratio to the seconds of a tenth of the clips")
    for step, duration in all_clips.items():
        print(f"  {step:40s} {duration:9.4f} {duration / fewer[step]:6.2f}")


def _seconds(clock: Callable[[], float], run: Callable[[], object]) -> float:
    began = clock()
    run()
    return clock() - began


def _measure(count: int, seconds: Seconds) -> dict[str, float]:
    """Step -> seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip_list, store = _write_list(folder, count), FolderStore(folder / "out")
        found: list[Clips] = []
        planned: list[list[Job]] = []
        steps = {
            "find the clips of a list": lambda: found.append(find_clips([str(clip_list)])),
            "plan, new folder": lambda: planned.append(plan_jobs(found[0], store)),
            "check the folders, new": lambda: store.check_all([job.name for job in planned[0]]),
        }
        durations = {step: seconds(run) for step, run in steps.items()}
        _write_summaries(planned[0][::2], store)
        durations["plan, half of the results exist"] = seconds(lambda: plan_jobs(found[0], store))
        durations["check the folders, half exist"] = seconds(
            lambda: store.check_all([job.name for job in planned[0]])
        )
        durations |= _report(planned[0], store, seconds)
        opened = _open_in_browser(store.root / "index.html")
        return durations | ({} if opened is None else {"open index.html in Chromium": opened})


def _write_list(folder: Path, count: int) -> Path:
    lines = [f"in/{n // CLIPS_PER_FOLDER}/clip_{n:07d}.mp4" for n in range(count)]
    for number in range(-(-count // CLIPS_PER_FOLDER)):
        (folder / "in" / str(number)).mkdir(parents=True)
    for line in lines:
        (folder / line).touch()
    path = folder / "list.txt"
    path.write_text("\n".join(lines))
    return path


def _write_summaries(jobs: list[Job], store: FolderStore) -> None:
    for job in jobs:
        (store.root / job.name).mkdir(parents=True)
        summary = {"text": ["x" * 100] * (SUMMARY_BYTES // 100), "clip_id": clip_id(job.clip)}
        (store.root / job.name / SUMMARY_FILE).write_text(json.dumps(summary, indent=2))


def _report(jobs: list[Job], store: FolderStore, seconds: Seconds) -> dict[str, float]:
    """The records of a run, as they come and at its end."""
    records = [_record(job, number) for number, job in enumerate(jobs)]
    collected = _CollectingStore(store.root)
    report = RunReport(jobs, collected, SilentReporter())
    report.__enter__()
    for record in records:
        report.add(record)
    store.append(collected.appended)
    durations = {
        "end of a run: results and index.html": seconds(lambda: report.__exit__(None, None, None)),
        "begin a run with these results": seconds(
            lambda: RunReport(jobs, store, SilentReporter()).__enter__()
        ),
    }
    later = RunReport(jobs, store, SilentReporter())
    adding = seconds(lambda: deque(map(later.add, records[:ADDED]), maxlen=0))
    return durations | {"add one record to these": adding / min(ADDED, len(records))}


class _CollectingStore(FolderStore):
    """Keeps appended records: to wait for the disk after each of them would take minutes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.appended: list[dict[str, Any]] = []

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Keep the records."""
        self.appended += records


def _record(job: Job, number: int) -> ClipRecord:
    if number % 2:  # no results were written for these
        return ClipRecord(str(job.clip), None, "failed", error=f"{job.clip}: not a video")
    return ClipRecord(
        clip=str(job.clip),
        folder=job.name,
        status=DONE,
        prediction=CLASS,
        check=CHECK,
        duration_seconds=10.0,
        seconds=3.0,
        targets=(CLASS,),
    )


def _open_in_browser(page: Path) -> float | None:
    """Seconds until the table of the page is drawn; None without a browser."""
    with chromium_tab() as tab:
        if tab is None:
            return None
        tab.goto("about:blank")
        began = time.perf_counter()
        tab.goto(page.as_uri())
        tab.wait_for_selector("#count:not(:empty)")
        return time.perf_counter() - began


@contextmanager
def chromium_tab() -> Iterator[Any]:
    """A tab of Chromium; None where Playwright or Chromium is missing."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        yield None
        return
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


if __name__ == "__main__":
    main()
