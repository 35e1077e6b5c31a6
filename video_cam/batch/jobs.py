"""What is to be done with a clip, and what became of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from video_cam.batch.inputs import Clips, folder_names
from video_cam.batch.store import Store
from video_cam.utils.names import printable_path

DONE, FAILED, SKIPPED = "done", "failed", "skipped"


@dataclass(frozen=True)
class Job:
    """A clip, the name of its folder of results, and the classes a list asks for (or none)."""

    clip: Path
    name: str
    class_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A line of results.jsonl. skipped: it was finished before, and nothing has changed since.

    folder: where the results are, below the output folder; None where there are none. error: one
    line. prediction: class_id, label, score and shown of the best class. check: as in summary.json.
    duration_seconds: the clip's; seconds: what it took.
    """

    clip: str
    folder: str | None
    status: str
    error: str | None = None
    prediction: dict[str, Any] | None = None
    check: Any = None
    duration_seconds: float | None = None
    seconds: float = 0.0
    finished_at: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )
    targets: tuple[dict[str, Any], ...] = ()  # the classes explained
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The row in JSON's types."""
        return asdict(self) | {"notes": list(self.notes), "targets": list(self.targets)}


def plan_jobs(clips: Clips, store: Store, shard: tuple[int, int] | None = None) -> list[Job]:
    """A job for every clip, or for this shard's of them: (i, n) is the i-th of n, from 1.

    Names are given before clips are dealt out, so that every shard sees the same ones.
    """
    names = folder_names(list(clips), store.owner)
    jobs = [Job(c, n, class_ids) for (c, class_ids), n in zip(clips.items(), names, strict=True)]
    if shard is None:
        return jobs
    index, count = shard
    return jobs[index - 1 :: count]


def finished_row(job: Job, summary: dict[str, Any], status: str, seconds: float) -> Row:
    """The row of a clip whose results are there."""
    return Row(
        clip=str(job.clip),
        folder=job.name,
        status=status,
        prediction=next(iter(summary["predictions"]), None),
        check=summary.get("check"),
        duration_seconds=summary["clip"]["duration_seconds"],
        seconds=round(seconds, 3),
        targets=tuple(summary["targets"]),
        notes=(*summary.get("notes", ()), *_sentences(summary.get("sanity"))),
    )


def _sentences(found: dict[str, Any] | None) -> tuple[str, ...]:
    return (found["sentence"],) if found else ()


def failed_row(job: Job, error: str, seconds: float = 0.0) -> Row:
    """The row of a clip that could not be done; the error becomes one line that names the clip."""
    line = " ".join(error.split()) or "unknown error"
    if str(job.clip) not in line:
        line = f"{printable_path(job.clip)}: {line}"
    return Row(str(job.clip), None, FAILED, error=line, seconds=round(seconds, 3))
