"""Reads results again, and says which files are damaged, missing, or not of video_cam."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from video_cam.batch.result_folders import result_folders
from video_cam.batch.results_file import RESULTS, TABLE, parse_record, read_lines
from video_cam.batch.store import LOCKS
from video_cam.errors import UsageError
from video_cam.rendering.result_folder import EXPLANATION_FILE, INDEX_DATA, SUMMARY_FILE
from video_cam.rendering.summary_file import MAX_BYTES, parse_summary, sizes_of_files
from video_cam.utils.files import read_regular, sha256_of

_EXPLANATION, _INDEX = EXPLANATION_FILE, "index.html"


@dataclass(frozen=True)
class Fault:
    """A file or folder that is not as it was written.

    Attributes:
        path: where it is, or should be.
        problem: what is wrong, in a few words.
    """

    path: Path
    problem: str


@dataclass
class Counts:
    """What has been read so far.

    Attributes:
        clips: folders of results.
        files: files whose content was compared.
    """

    clips: int = 0
    files: int = 0


def verify(root: Path, counts: Counts) -> Iterator[Fault]:
    """Read all results below a folder and compare them with the digests in them. Writes nothing.

    Args:
        root: the output folder of a run, or the folder of one clip.
        counts: counted up on the way.

    Returns:
        What is damaged, missing or foreign, as it is found.

    Raises:
        UsageError: where ``root`` is no folder, or holds no results.
    """
    if not root.is_dir():
        raise UsageError(f"no such folder: {str(root)!r}")
    if os.path.lexists(root / SUMMARY_FILE) or (root / _EXPLANATION).exists():
        return _verify_clip(root, None, counts)
    folders = set(result_folders(root))
    if not folders and not os.path.lexists(root / RESULTS):
        raise UsageError(
            f"{str(root)!r} holds no results of video_cam: give the --output-dir of a run, or the "
            "folder of one clip in it"
        )
    return _verify_run(root, folders, counts)


def _verify_run(root: Path, folders: set[str], counts: Counts) -> Iterator[Fault]:
    # Clip -> its folder and the digest of its summary.
    latest: dict[str, tuple[str | None, str | None]] = {}
    try:
        for number, line in enumerate(read_lines(root / RESULTS), start=1):
            record = parse_record(line) if line.strip() else None
            if record is not None:
                latest[record["clip"]] = record.get("folder"), record.get("summary_sha256")
            elif line.strip():
                yield Fault(root / RESULTS, f"line {number} is damaged")
    except OSError as error:
        yield _unreadable(root / RESULTS, error)
    finished = {folder: sha256 for folder, sha256 in latest.values() if folder}
    for name in sorted(folders | set(finished)):
        if name in folders or (root / name).is_dir():
            yield from _verify_clip(root / name, finished.get(name), counts)
        else:
            yield Fault(root / name, f"is missing, and {RESULTS} has its clip as finished")
    yield from _foreign_beside(
        root, {RESULTS, TABLE, _INDEX, INDEX_DATA, LOCKS, *folders, *finished}
    )


def _foreign_beside(root: Path, known: set[str]) -> Iterator[Fault]:
    """What lies beside the known files and folders, in the output folder and those between."""
    between = {str(parent) for name in known for parent in PurePosixPath(name).parents}
    for parent in sorted(between):
        folder = root / parent
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = path.relative_to(root).as_posix()
            if name not in known | between:
                yield _foreign(path)


def _verify_clip(folder: Path, sha256: str | None, counts: Counts) -> Iterator[Fault]:
    """Faults of one clip's folder.

    Args:
        sha256: of its summary.json, as results.jsonl has it; None where it does not say.
    """
    counts.clips += 1
    path = folder / SUMMARY_FILE
    try:
        data = read_regular(path, MAX_BYTES)
        summary = parse_summary(data)
    except OSError as error:
        yield _unreadable(path, error)
        return
    except ValueError as error:
        yield Fault(path, f"is damaged: {error}")
        return
    counts.files += 1
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        yield Fault(path, f"is not the one that {RESULTS} records: run again to renew the record")
    sizes = sizes_of_files(summary)
    if sizes is None:
        yield Fault(path, "has no digests, as an older version wrote it: run again")
        return
    faulty = set()
    for name, size in sizes.items():
        for fault in _verify_file(folder / name, size, summary["contents"][name]["sha256"]):
            faulty.add(name)
            yield fault
        counts.files += 1
    yield from _foreign_files(folder, {SUMMARY_FILE, *sizes})
    if _EXPLANATION in sizes and _EXPLANATION not in faulty:
        yield from _verify_explanation(folder / _EXPLANATION, summary)


def _verify_file(path: Path, size: int, sha256: str) -> Iterator[Fault]:
    try:
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_size != size:
            yield Fault(path, f"is damaged: it has {found.st_size} bytes, {size} were written")
        elif stat.S_ISLNK(found.st_mode):
            yield Fault(path, "is a link, and a file was written")
        elif sha256_of(path) != sha256:
            yield Fault(path, "is damaged: its SHA-256 is another one than when it was written")
    except OSError as error:
        yield _unreadable(path, error)


def _verify_explanation(path: Path, summary: dict[str, Any]) -> Iterator[Fault]:
    """Load it, although its bytes are those that were written: they may have been wrong then."""
    from video_cam.explanation.explanation import Explanation

    try:
        explanation = Explanation.load(path)
    except UsageError as error:
        yield Fault(path, str(error))
        return
    if explanation.clip.path != summary["clip"]["path"]:
        yield Fault(path, f"is of another clip than {SUMMARY_FILE}")


def _foreign_files(folder: Path, known: set[str]) -> Iterator[Fault]:
    """Files, links and empty folders below ``folder`` that are not known."""
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in sorted([*files, *links]):
            if (here / name).relative_to(folder).as_posix() not in known:
                yield _foreign(here / name)
        if not folders and not files and here != folder:
            yield _foreign(here)


def _foreign(path: Path) -> Fault:
    if path.suffix in (".part", ".partial", ".old") and path.name.startswith("."):
        return Fault(path, "is left from a run that was killed, or is being written by one")
    return Fault(path, "is not of video_cam")


def _unreadable(path: Path, error: OSError) -> Fault:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Fault(path, "is missing")
    return Fault(path, f"cannot be read ({error.strerror or type(error).__name__})")
