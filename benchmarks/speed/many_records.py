"""What the records of many clips take: memory of the command's process, sizes of the files.

    python -m benchmarks.speed.many_records [--clips 20000] [--truth] [--keep FOLDER]

Every record has what the record of a real clip has; no clip is read and no folder of results is
written. Memory is what Python allocates (tracemalloc), without the jobs, which are made before.
With --keep the output folder stays, to look at its page.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from video_cam.batch.jobs import DONE, FAILED, ClipRecord, Job
from video_cam.batch.report import RunReport
from video_cam.batch.results_file import RESULTS, json_line
from video_cam.batch.store import FolderStore
from video_cam.utils.reporter import SilentReporter

CLIPS_PER_FOLDER = 1000
CLASSES = 400
FAILED_EVERY = 50


def main() -> None:
    """Print memory for a record, and sizes of files for a clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--truth", action="store_true", help="with ground truth for each clip")
    parser.add_argument("--keep", type=Path, help="the output folder, which must not exist")
    parsed = parser.parse_args()
    if parsed.keep is not None:
        parsed.keep.mkdir()
        _measure(parsed.clips, parsed.truth, parsed.keep)
        return
    with tempfile.TemporaryDirectory() as name:
        _measure(parsed.clips, parsed.truth, Path(name))


def _measure(count: int, has_truth: bool, folder: Path) -> None:
    jobs = [
        Job(Path(f"in/{n // CLIPS_PER_FOLDER}/clip_{n:07d}.mp4"), f"c{n}") for n in range(count)
    ]
    store = _QuickStore(folder)
    report = RunReport(jobs, store, SilentReporter())
    tracemalloc.start()
    began = time.process_time()
    report.__enter__()
    for record in _records(jobs, has_truth):
        report.add(record)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    report.__exit__(None, None, None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    RunReport(jobs, store, SilentReporter()).__enter__()
    _, again = tracemalloc.get_traced_memory()
    print(f"{count} clips, {time.process_time() - began:.0f} s of CPU time while memory is traced")
    for step, size in {"at the end of the run": peak, "when it begins again": again}.items():
        print(f"  {step:30s} {size / count:9.0f} bytes a clip")
    print(f"  {'during the run':30s} {held / count:9.0f} bytes a clip")
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):
            files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
            size = sum(file.stat().st_size for file in files)
            print(f"  {path.name:30s} {size / count:9.0f} bytes a clip, {len(files)} files")


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
