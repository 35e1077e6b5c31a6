"""Where results lie: a folder that several runs may share, or a bucket's address."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from video_cam.batch.inputs import clip_id
from video_cam.batch.results_file import RESULTS, append_rows, latest, parse_rows
from video_cam.errors import UsageError
from video_cam.rendering.result_folder import SUMMARY_FILE, check_target, clear_remains

LOCKS = ".locks"


class Busy(Exception):
    """Another run is at work on this clip."""


class Store(Protocol):
    """A place for results. ``name`` is the name of a clip's folder in it."""

    def check(self, name: str) -> None:
        """Raise UsageError where results must not or cannot be written."""

    def claim(self, name: str, wait_seconds: float) -> Any:
        """A context in which no other run touches this folder; Busy if one does all that time."""

    def summary(self, name: str) -> dict[str, Any] | None:
        """The summary of finished results, if there are such."""

    def holds(self, name: str, files: Sequence[str]) -> bool:
        """Whether all these files are there."""

    def writing(self, name: str) -> Any:
        """A context that gives a folder's path to render to, and keeps what is there at its end."""

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows to results.jsonl."""

    def rows(self) -> list[dict[str, Any]]:
        """The last row of each clip."""

    def write_index(self) -> None:
        """Write index.html from the rows."""

    def owner(self, name: str) -> str | None:
        """The id of the clip whose results are under this name."""

    def shown(self, name: str) -> str:
        """The path of a file, as a person is told it."""


def open_store(output_dir: str) -> Store:
    """The store at a path or an address (file://, s3://, gs://, ...)."""
    if "://" not in output_dir:
        return FolderStore(Path(output_dir))
    protocol, _, rest = output_dir.partition("://")
    if protocol in ("file", "local"):
        return FolderStore(Path(rest))
    from video_cam.batch.remote_store import RemoteStore

    return RemoteStore(output_dir)


class FolderStore:
    """Results in a folder: whole or not at all, one run at a time for each clip."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def check(self, name: str) -> None:
        check_target(self.root / name)

    @contextmanager
    def claim(self, name: str, wait_seconds: float) -> Iterator[None]:
        with self._lock(name, wait_seconds):
            clear_remains(self.root / name)
            yield

    def summary(self, name: str) -> dict[str, Any] | None:
        try:
            summary = json.loads((self.root / name / SUMMARY_FILE).read_bytes())
        except (OSError, ValueError):
            return None
        return summary if isinstance(summary, dict) else None

    def holds(self, name: str, files: Sequence[str]) -> bool:
        return all((self.root / name / file).exists() for file in files)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        yield self.root / name  # rendering replaces a folder whole by itself

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        with self._lock(RESULTS, -1):
            append_rows(self.root / RESULTS, rows)

    def rows(self) -> list[dict[str, Any]]:
        try:
            return latest(parse_rows((self.root / RESULTS).read_bytes()))
        except OSError:
            return []

    def write_index(self) -> None:
        with self._lock(RESULTS, -1):
            from video_cam.rendering.page.gallery import write_gallery

            write_gallery(self.root, self.rows())

    def owner(self, name: str) -> str | None:
        return owner_of(self.summary(name))

    def shown(self, name: str) -> str:
        return str(self.root / name)

    @contextmanager
    def _lock(self, name: str, timeout: float) -> Iterator[None]:
        folder = self.root / LOCKS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{name}.lock", timeout=timeout)
            lock.acquire()
        except Timeout as error:
            raise Busy(name) from error
        except OSError as error:
            raise UsageError(
                f"cannot write to {str(self.root)!r} ({error.strerror}): choose another "
                "--output-dir"
            ) from error
        try:
            yield
        finally:
            lock.release()


def owner_of(summary: dict[str, Any] | None) -> str | None:
    """The clip of a summary; one that was written from Python only tells the clip's path."""
    if summary is None:
        return None
    path = summary.get("clip", {}).get("path")
    return summary.get("clip_id") or (clip_id(path) if path else None)
