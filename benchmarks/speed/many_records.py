"""What the records of many clips take: memory of the command's process, sizes and use of the files.

    python -m benchmarks.speed.many_records [--clips 20000] [--truth] [--resident] [--page]

Every record has what the record of a real clip has; no clip is read and no folder of results is
written. Memory is what Python allocates (tracemalloc), or with --resident the largest resident
size so far, which takes a third of the time; the jobs, which are made before, are not in it. With
--page the page of all clips is used in Chromium, which needs Playwright: seconds from an action
until the rows are drawn. They depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.many_clips import chromium_tab
from video_cam.batch.jobs import DONE, FAILED, ClipRecord, Job
from video_cam.batch.report import RunReport
from video_cam.batch.results_file import RESULTS, json_line
from video_cam.batch.store import FolderStore
from video_cam.utils.reporter import SilentReporter

CLIPS_PER_FOLDER = 1000
CLASSES = 400
FAILED_EVERY = 50
KILOBYTE = 1024  # of ru_maxrss
# What is done with the page, in this order.
ACTIONS = {
    "sort by score": "document.querySelector('[data-sort=score]').click()",
    "next rows": "document.querySelector('[data-page=next]').click()",
    "sort by name": "document.querySelector('[data-sort=name]').click()",
    "failed clips": "choose('status', 'failed')",
    "clips of a class": "choose('status', ''); choose('class', 'class 7 of some words')",
    "find a clip": "choose('class', ''); choose('find', 'clip_0001234')",
    "find another clip": "choose('find', 'clip_0001235')",
}
CHOOSE = """() => {
  window.choose = (name, value) => {
    const input = document.getElementById(name);
    input.value = value;
    input.dispatchEvent(new Event("input"));
  };
}"""
COUNT = "document.getElementById('count')"


def main() -> None:
    """Print memory for a record, sizes of files for a clip, and seconds for the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--truth", action="store_true", help="with ground truth for each clip")
    parser.add_argument("--resident", action="store_true", help="measure the resident size")
    parser.add_argument("--page", action="store_true", help="use the page in Chromium")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _measure_memory(parsed.clips, parsed.truth, parsed.resident, folder)
        _measure_files(parsed.clips, folder)
        if parsed.page:
            _use_page(folder / "index.html")


def _measure_memory(count: int, has_truth: bool, is_resident: bool, folder: Path) -> None:
    jobs = [
        Job(Path(f"in/{n // CLIPS_PER_FOLDER}/clip_{n:07d}.mp4"), f"c{n}") for n in range(count)
    ]
    store = _QuickStore(folder)
    report = RunReport(jobs, store, SilentReporter())
    before = _resident()
    if not is_resident:
        tracemalloc.start()
    began = time.process_time()
    report.__enter__()
    for record in _records(jobs, has_truth):
        report.add(record)
    during = _resident() - before if is_resident else tracemalloc.get_traced_memory()[0]
    added = time.process_time()
    tracemalloc.reset_peak()
    report.__exit__(None, None, None)
    at_end = _resident() - before if is_resident else tracemalloc.get_traced_memory()[1]
    print(f"{count} clips: {added - began:.1f} s of CPU time for the records, ", end="")
    print(f"{time.process_time() - added:.1f} s at the end")
    for step, size in {"memory during the run": during, "at its end": at_end}.items():
        print(f"  {step:24s} {size / count:9.0f} bytes a clip")
    tracemalloc.stop()


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE


def _measure_files(count: int, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):
            files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
            size = sum(file.stat().st_size for file in files)
            each = f"{size / count:9.0f} bytes a clip"
            print(f"  {path.name:24s} {each}, {size / 1e6:.1f} MB in {len(files)} files")


def _use_page(page: Path) -> None:
    with chromium_tab() as tab:
        if tab is None:
            print("  no Chromium")
            return
        began = time.perf_counter()
        tab.goto(page.as_uri())
        tab.wait_for_selector("#count:not(:empty)")
        print(f"  {'open the page':24s} {time.perf_counter() - began:9.2f} s")
        tab.evaluate(CHOOSE)
        for name, action in ACTIONS.items():
            began = time.perf_counter()
            tab.evaluate(f"{COUNT}.value = ''; {action}")
            while not tab.evaluate(f"{COUNT}.value.endsWith('shown')"):
                time.sleep(0.005)
            print(f"  {name:24s} {time.perf_counter() - began:9.2f} s", tab.inner_text("#count"))


class _QuickStore(FolderStore):
    """Does not wait for the disk after each record, and has all folders of results."""

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Append records to results.jsonl."""
        with (self.root / RESULTS).open("ab") as file:
            file.writelines(map(json_line, records))

    def without_results(self, names: Sequence[str]) -> set[str]:
        """None."""
        return set()


def _records(jobs: Sequence[Job], has_truth: bool) -> Iterator[ClipRecord]:
    for number, job in enumerate(jobs):
        text = json.dumps(_values(number, has_truth))  # texts of their own, as from another process
        yield ClipRecord(str(job.clip), **_own(job, number), **json.loads(text))


def _own(job: Job, number: int) -> dict[str, Any]:
    if number % FAILED_EVERY == 0:
        error = f"{job.clip}: no frame can be decoded"
        return {"folder": None, "status": FAILED, "error": error}
    return {"folder": str(job.name), "status": DONE}


def _values(number: int, has_truth: bool) -> dict[str, Any]:
    if number % FAILED_EVERY == 0:
        return {"seconds": 0.1}
    score = 0.05 + 0.9 * (number * 7919 % 10_007) / 10_007
    label = f"class {number % CLASSES} of some words"
    best = {"class_id": number % CLASSES, "label": label, "score": score, "shown": f"{score:.1%}"}
    drop = round(score / 2, 6)
    check = {
        "kind": "deletion",
        "drop": drop,
        "random_drop": drop / 3,
        "sentence": f"Blurring the 10 % that the map marks lowers the score by {100 * drop:.1f} %; "
        "as large a part elsewhere by less. What is marked carries the score.",
    }
    texts = ("the clip has fewer frames per second than the network takes", f"window {number % 9}")
    notes = [{"text": text, "kind": "information"} for text in texts]
    return {
        "prediction": best,
        "check": check,
        "duration_seconds": 10.0 + number % 7,
        "seconds": 3.25,
        "targets": [best],
        "notes": notes,
        "summary_sha256": f"{number:064x}",
        "truth": _truth(number, score) if has_truth else None,
    }


def _truth(number: int, score: float) -> dict[str, Any]:
    rank = 1 if number % 5 else 2
    name = f"class {number % CLASSES if rank == 1 else (number + 1) % CLASSES} of some words"
    return {
        "name": name,
        "class_id": number % CLASSES,
        "label": name,
        "rank": rank,
        "correct": rank == 1,
        "num_classes": CLASSES,
        "measures": {"mass": score, "event_share": 0.2},
        "map": None,
        "note": "",
        "digest": f"{number:016x}",
    }


if __name__ == "__main__":
    main()
