"""Where results are kept: a folder that several runs may share, or an address of a bucket."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from video_cam.batch.inputs import clip_id, top_folder
from video_cam.batch.results_file import (
    RESULTS,
    append_records,
    latest_records,
)
from video_cam.errors import UsageError
from video_cam.rendering.result_folder import (
    SUMMARY_FILE,
    check_target,
    clear_partial_folders,
    clear_remains,
    with_remains,
)
from video_cam.rendering.summary_file import MAX_BYTES, parse_summary, summary_bytes
from video_cam.utils.files import make_folder, open_regular, read_regular, write_atomically
from video_cam.utils.locks import LockHeld, NoLocks, file_lock

LOCKS = ".locks"
# Quotes inside JSON's strings are escaped, so this is a key and its value.
_CLIP_ID_KEY = b'"clip_id": "'
_CLIP_ID = re.compile(_CLIP_ID_KEY + b'([0-9a-f]{12})"')


class ClipBusy(Exception):
    """Another run is processing this clip."""


class Store(Protocol):
    """Keeps results. ``name`` is always the name of a clip's folder in the store."""

    def prepare(self) -> None:
        """Remove what killed runs left, whatever clips they were processing.

        Raises:
            UsageError: where nothing can be written, or runs cannot be kept apart.
        """

    def names(self) -> set[str]:
        """The names of all files and folders, casefolded: file systems may not tell case apart."""

    def check(self, name: str) -> None:
        """Raise UsageError where results must not or cannot be written."""

    def check_all(self, names: Sequence[str]) -> None:
        """``check`` of many folders, without asking for each where it is not needed."""

    def claim(self, name: str, wait_seconds: float) -> AbstractContextManager[None]:
        """A context in which no other run writes this folder.

        Args:
            wait_seconds: how long to wait for another run; negative for as long as it takes.

        Raises:
            ClipBusy: where another run holds the folder all that time.
        """

    def reserve(self, name: str, wait_seconds: float) -> AbstractContextManager[None]:
        """A context in which no other run begins the clip that has this long name.

        Args:
            wait_seconds: how long to wait for another run; negative for as long as it takes.

        Raises:
            ClipBusy: where another run has reserved the clip all that time.
        """

    def summary(self, name: str) -> dict[str, Any] | None:
        """The content of summary.json; None where there are no finished results."""

    def summary_sha256(self, name: str) -> str | None:
        """SHA-256 of summary.json in hexadecimal; None where there is none."""

    def has_contents(self, name: str, sizes: Mapping[str, int]) -> bool:
        """Whether the folder holds all these files with these sizes in bytes."""

    def has_files(self, name: str, files: Sequence[str]) -> bool:
        """Whether all these files exist in the folder."""

    def without_results(self, names: Sequence[str]) -> set[str]:
        """Those of the folders of finished clips that have been removed."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A context that gives a local path to render to; its content is kept at the end."""

    def local_file(self, name: str, file: str) -> AbstractContextManager[Path]:
        """A context that gives a local path of a file in the folder."""

    def replace_summary(self, name: str, summary: Mapping[str, Any]) -> None:
        """Write summary.json again; the other files of the folder stay."""

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Append records to results.jsonl."""

    def records(self) -> Iterator[dict[str, Any]]:
        """The last record of each clip, read one by one.

        Raises:
            OSError: while they are read, where results.jsonl exists and cannot be read.
        """

    def write_index(self) -> None:
        """Write index.html and results.csv of all clips from the records."""

    def owner(self, name: str) -> str | None:
        """The id of the clip whose results are in the folder; None where there are none."""

    def shown(self, name: str) -> str:
        """The path of a file or folder, for messages."""


def open_store(output_dir: str) -> Store:
    """The store at a path, or at an address that fsspec knows (file://, s3://, gs://, ...).

    Raises:
        UsageError: for an address that cannot be opened.
    """
    if "://" not in output_dir:
        return FolderStore(Path(output_dir))
    protocol, _, rest = output_dir.partition("://")
    if protocol in ("file", "local"):
        return FolderStore(Path(rest))
    from video_cam.batch.remote_store import RemoteStore

    return RemoteStore(output_dir)


class FolderStore:
    """Results in a folder: those of a clip appear all at once, and one run at a time writes them.

    Attributes:
        root: the output folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Remove what killed runs left, and restore earlier results that they had moved away.

        Raises:
            UsageError: where nothing can be written, or the file system has no locks.
        """
        with self._lock(RESULTS, -1):
            pass
        for parent, names in self._claimed_before().items():
            for name in with_remains(self.root / parent, names):
                with suppress(ClipBusy, UsageError), self.claim(str(parent / name), 0):
                    pass  # claiming a clip does that
            clear_partial_folders(self.root / parent)

    def names(self) -> set[str]:
        """The names of all files and folders, casefolded: file systems may not tell case apart."""
        try:
            with os.scandir(self.root) as entries:
                return {entry.name.casefold() for entry in entries}
        except OSError:
            return set()

    def check(self, name: str) -> None:
        """Raise UsageError where results must not or cannot be written."""
        check_target(self.root / name)

    def check_all(self, names: Sequence[str]) -> None:
        """``check`` of many folders: of one that is new, and of those that hold no results.

        Whether the output folder can be written is the same for all of them.
        """
        taken = self.names()
        new = [name for name in names if top_folder(name).casefold() not in taken]
        foreign = [
            name
            for name in names
            if top_folder(name).casefold() in taken
            and not (self.root / name / SUMMARY_FILE).is_file()
        ]
        for name in [*(new or names)[:1], *foreign]:
            self.check(name)

    @contextmanager
    def claim(self, name: str, wait_seconds: float) -> Iterator[None]:
        """Lock the folder, and remove what killed processes left beside it."""
        with self._lock(name, wait_seconds):
            clear_remains(self.root / name)
            yield

    @contextmanager
    def reserve(self, name: str, wait_seconds: float) -> Iterator[None]:
        """Lock the clip; the name of no folder begins with a point."""
        with self._lock(f".{name}", wait_seconds):
            yield

    def summary(self, name: str) -> dict[str, Any] | None:
        """The content of summary.json; None where there are no finished results."""
        try:
            return parse_summary(read_regular(self.root / name / SUMMARY_FILE, MAX_BYTES))
        except (OSError, ValueError):
            return None

    def summary_sha256(self, name: str) -> str | None:
        """SHA-256 of summary.json in hexadecimal; None where there is none."""
        try:
            data = read_regular(self.root / name / SUMMARY_FILE, MAX_BYTES)
        except OSError:
            return None
        return hashlib.sha256(data).hexdigest()

    def has_contents(self, name: str, sizes: Mapping[str, int]) -> bool:
        """Whether the folder holds all these files with these sizes in bytes."""
        files = {self.root / name / file: size for file, size in sizes.items()}
        return all(f.is_file() and f.stat().st_size == size for f, size in files.items())

    def has_files(self, name: str, files: Sequence[str]) -> bool:
        """Whether all these files exist in the folder."""
        return all((self.root / name / file).exists() for file in files)

    def without_results(self, names: Sequence[str]) -> set[str]:
        """Those of the folders of finished clips that have been removed."""
        return {name for name in names if not self.has_files(name, [SUMMARY_FILE])}

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """The folder itself: rendering replaces it as a whole."""
        yield self.root / name

    @contextmanager
    def local_file(self, name: str, file: str) -> Iterator[Path]:
        """The file itself."""
        yield self.root / name / file

    def replace_summary(self, name: str, summary: Mapping[str, Any]) -> None:
        """Write summary.json again; the other files of the folder stay."""
        write_atomically(self.root / name / SUMMARY_FILE, summary_bytes(summary))

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Append records to results.jsonl."""
        with self._lock(RESULTS, -1):
            append_records(self.root / RESULTS, records)

    def records(self) -> Iterator[dict[str, Any]]:
        """The last record of each clip, read one by one."""
        with suppress(FileNotFoundError), open_regular(self.root / RESULTS) as file:
            yield from latest_records(file)

    def write_index(self) -> None:
        """Write index.html, with its files, and results.csv of all clips from the records."""
        with self._lock(RESULTS, -1):
            from video_cam.batch.overview import write_overview

            write_overview(self.root, self.records())

    def owner(self, name: str) -> str | None:
        """The id of the clip whose results are in the folder; None where there are none."""
        try:
            data = read_regular(self.root / name / SUMMARY_FILE, MAX_BYTES)
        except OSError:
            return None
        # It is one of the last keys; to parse everything takes many times as long.
        found = _CLIP_ID.match(data, max(data.rfind(_CLIP_ID_KEY), 0))
        return found.group(1).decode() if found else owner_of(self.summary(name))

    def shown(self, name: str) -> str:
        """The path of a file or folder, for messages."""
        return str(self.root / name)

    def _claimed_before(self) -> dict[PurePosixPath, list[str]]:
        """The folders in the output folder that hold results, and the names of these."""
        names: dict[PurePosixPath, list[str]] = {PurePosixPath(): []}
        locks = self.root / LOCKS
        for path in locks.rglob("*.lock"):
            parent = PurePosixPath(path.parent.relative_to(locks).as_posix())
            if (self.root / parent).is_dir():
                names.setdefault(parent, []).append(path.stem)
        return names

    @contextmanager
    def _lock(self, name: str, wait_seconds: float) -> Iterator[None]:
        path = self.root / LOCKS / f"{name}.lock"
        with ExitStack() as stack:
            try:
                make_folder(path.parent)
                stack.enter_context(file_lock(path, wait_seconds))
            except LockHeld as error:
                raise ClipBusy(name) from error
            except NoLocks as error:
                # Without locks, two runs could overwrite each other's results.
                raise UsageError(
                    f"the file system of {str(self.root)!r} has no file locks (flock): choose "
                    "another --output-dir"
                ) from error
            except OSError as error:
                raise UsageError(
                    f"cannot write to {str(self.root)!r} ({error.strerror}: "
                    f"{error.filename or path}): choose another --output-dir"
                ) from error
            yield


def owner_of(summary: dict[str, Any] | None) -> str | None:
    """The id of a summary's clip; None without a summary.

    Results written from Python hold the clip's path only, from which the id is computed.
    """
    if summary is None:
        return None
    path = (summary.get("clip") or {}).get("path")
    return summary.get("clip_id") or (clip_id(path) if path else None)
