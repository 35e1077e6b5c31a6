"""Jobs (a clip and the folder for its results) and records of how each of them ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from video_cam.batch.inputs import Clips, folder_names, top_folder
from video_cam.batch.store import Store
from video_cam.truth.clip_truth import ClipTruth
from video_cam.utils.names import printable_path
from video_cam.utils.notes import Note

DONE, FAILED, SKIPPED = "done", "failed", "skipped"


@dataclass(frozen=True)
class Job:
    """A clip to be processed.

    Attributes:
        clip: its path.
        name: of the folder planned for its results, below the output folder; ``claims.claimed``
            decides.
        class_ids: the classes that a list names for it; empty for those of the run's options.
        truth: its ground truth, where there is one.
        relative: its path from the folder that was given, where this names it; else None.
        is_reserved: the process that dispatches it keeps other runs from the clip; see ``claims``.
    """

    clip: Path
    name: str
    class_ids: tuple[str, ...] = ()
    truth: ClipTruth | None = None
    relative: str | None = None
    is_reserved: bool = False


@dataclass(frozen=True)
class ClipRecord:
    """How one clip ended: a line of results.jsonl, with these fields.

    Attributes:
        clip: its path.
        folder: with the results, below the output folder; None where there are none.
        status: DONE, FAILED, or SKIPPED where finished results of an earlier run are still valid.
        error: one line; None unless the clip failed.
        prediction: class_id, label, score and shown (the score as text) of the best class.
        check: as in summary.json.
        motion_test, frame_test: as in summary.json.
        duration_seconds: of the clip.
        seconds: that processing took.
        finished_at: date and time in UTC, in ISO 8601.
        targets: the explained classes, with the fields of ``prediction``.
        notes: as in summary.json.
        summary_sha256: of the summary.json in the folder, in hexadecimal; None where there is none.
        truth: as in summary.json; where the clip failed, the class's name only.
        relative: the clip's path from the folder that was given, where this names it.
    """

    clip: str
    folder: str | None
    status: str
    error: str | None = None
    prediction: dict[str, Any] | None = None
    check: Any = None
    motion_test: Any = None
    frame_test: Any = None
    duration_seconds: float | None = None
    seconds: float = 0.0
    finished_at: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )
    targets: tuple[dict[str, Any], ...] = ()
    notes: tuple[dict[str, str], ...] = ()
    summary_sha256: str | None = None
    truth: dict[str, Any] | None = None
    relative: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The record in JSON's types."""
        return asdict(self) | {"notes": list(self.notes), "targets": list(self.targets)}


def plan_jobs(
    clips: Clips,
    store: Store,
    shard: tuple[int, int] | None = None,
    truths: Mapping[Path, ClipTruth] | None = None,
    relative: Mapping[Path, str] | None = None,
) -> list[Job]:
    """A job for every clip, or for those of one shard.

    Args:
        clips: as ``find_clips`` returns them.
        shard: (i, n) for the i-th of n shards, counted from 1; None for all clips.
        truths: ground truth of clips that have one.
        relative: as ``relative_names`` returns it.
    """
    # Folders are named before clips are divided among shards, so that all shards agree on them.
    taken = store.names()
    truths, relative = truths or {}, relative or {}
    names = folder_names(
        list(clips),
        lambda name: store.owner(name) if top_folder(name).casefold() in taken else None,
        relative,
    )
    jobs = [
        Job(clip, name, class_ids, truths.get(clip), relative.get(clip))
        for (clip, class_ids), name in zip(clips.items(), names, strict=True)
    ]
    if shard is None:
        return jobs
    index, count = shard
    return jobs[index - 1 :: count]


def finished_record(
    job: Job,
    summary: dict[str, Any],
    status: str,
    seconds: float,
    summary_sha256: str | None = None,
) -> ClipRecord:
    """The record of a clip with results.

    Args:
        summary: the content of summary.json.
        status: DONE or SKIPPED.
        seconds: that processing took.
        summary_sha256: of summary.json.
    """
    sanity = summary.get("sanity")
    return ClipRecord(
        clip=str(job.clip),
        folder=job.name,
        status=status,
        prediction=next(iter(summary["predictions"]), None),
        check=summary.get("check"),
        motion_test=summary.get("motion_test"),
        frame_test=summary.get("frame_test"),
        duration_seconds=summary["clip"]["duration_seconds"],
        seconds=round(seconds, 3),
        targets=tuple(summary["targets"]),
        notes=(
            *summary.get("notes", ()),
            *([asdict(Note(sanity["sentence"]))] if sanity else []),
        ),
        summary_sha256=summary_sha256,
        truth=summary.get("truth"),
        relative=job.relative,
    )


def failed_record(job: Job, error: str, seconds: float = 0.0) -> ClipRecord:
    """The record of a clip that failed; the error becomes one line that names the clip."""
    line = " ".join(error.split()) or "unknown error"
    if str(job.clip) not in line:
        line = f"{printable_path(job.clip)}: {line}"
    name = job.truth.class_name if job.truth is not None else None
    return ClipRecord(
        str(job.clip),
        None,
        FAILED,
        error=line,
        seconds=round(seconds, 3),
        truth=None if name is None else {"name": name},
        relative=job.relative,
    )
