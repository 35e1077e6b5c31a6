"""Results at an address that fsspec knows: s3://bucket/dir, gs://bucket/dir, memory://dir."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from video_cam.batch.inputs import top_folder
from video_cam.batch.remote_records import RemoteRecords
from video_cam.batch.results_file import RESULTS, latest_records
from video_cam.batch.store import owner_of
from video_cam.errors import UsageError
from video_cam.rendering.page.gallery_data import is_data_folder
from video_cam.rendering.result_folder import INDEX_DATA, SUMMARY_FILE
from video_cam.rendering.summary_file import parse_summary, summary_bytes

_WRITERS = 16  # files written at the same time: a request takes long, and little data goes


class RemoteStore:
    """Results in a bucket, which has neither locks nor renaming: one run at a time per clip.

    A clip's summary.json is removed first and uploaded last, so a folder that has one is complete.
    """

    def __init__(self, address: str) -> None:
        """Open an address.

        Raises:
            UsageError: where fsspec is not installed, or does not know the address.
        """
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise UsageError(
                f"output folder {address!r} is an address, which needs fsspec: "
                "pip install -r requirements-ray.txt"
            ) from error
        try:
            self._files, root = url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise UsageError(f"output folder {address!r} cannot be opened: {error}") from error
        self._root, self._address = root.rstrip("/"), address.rstrip("/")
        self._records = RemoteRecords(self._files, self._root)

    def names(self) -> set[str]:
        """The names of all files and folders, casefolded."""
        self._files.invalidate_cache()  # another run may have written since the last listing
        try:
            paths = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return set()
        return {path.rstrip("/").rsplit("/", 1)[-1].casefold() for path in paths}

    def prepare(self) -> None:
        """Nothing to remove: unfinished results are in temporary folders."""

    def check(self, name: str) -> None:
        """Nothing to check: the names are those of the clips."""

    def check_all(self, names: Sequence[str]) -> None:
        """Nothing to check."""

    @contextmanager
    def claim(self, name: str, wait_seconds: float) -> Iterator[None]:
        """No lock."""
        yield

    @contextmanager
    def reserve(self, name: str, wait_seconds: float) -> Iterator[None]:
        """No lock."""
        yield

    def summary(self, name: str) -> dict[str, Any] | None:
        """The content of summary.json; None where there are no finished results."""
        try:
            return parse_summary(self._files.cat_file(self._path(name, SUMMARY_FILE)))
        except (OSError, ValueError):
            return None

    def summary_sha256(self, name: str) -> str | None:
        """SHA-256 of summary.json in hexadecimal; None where there is none."""
        try:
            data = self._files.cat_file(self._path(name, SUMMARY_FILE))
        except OSError:
            return None
        return hashlib.sha256(data).hexdigest()

    def has_contents(self, name: str, sizes: Mapping[str, int]) -> bool:
        """Whether the folder holds all these files with these sizes in bytes."""
        found = self._files.find(self._path(name), detail=True)
        stored = {path.strip("/"): entry.get("size") for path, entry in found.items()}
        return all(
            stored.get(self._path(name, file).strip("/")) == size for file, size in sizes.items()
        )

    def has_files(self, name: str, files: Sequence[str]) -> bool:
        """Whether all these files exist in the folder."""
        return all(self._files.exists(self._path(name, file)) for file in files)

    def without_results(self, names: Sequence[str]) -> set[str]:
        """Those of the folders of finished clips that have been removed."""
        present = self.names()  # one listing instead of a request for each clip
        gone = {name for name in names if top_folder(name).casefold() not in present}
        nested = [name for name in names if "/" in name and name not in gone]
        return gone | {name for name in nested if not self.has_files(name, [SUMMARY_FILE])}

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary folder, uploaded at the end of the block."""
        with tempfile.TemporaryDirectory(prefix="video_cam-") as folder:
            local = Path(folder) / name
            yield local
            self._upload(local, name)

    @contextmanager
    def local_file(self, name: str, file: str) -> Iterator[Path]:
        """A copy of the file, removed at the end of the block."""
        with tempfile.TemporaryDirectory(prefix="video_cam-") as folder:
            local = Path(folder) / file
            self._files.get_file(self._path(name, file), str(local))
            yield local

    def replace_summary(self, name: str, summary: Mapping[str, Any]) -> None:
        """Write summary.json again; the other files of the folder stay."""
        self._files.pipe_file(self._path(name, SUMMARY_FILE), summary_bytes(summary))

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Append records."""
        self._records.append(records)

    def records(self) -> Iterator[dict[str, Any]]:
        """The last record of each clip, read one by one."""
        return self._records.read()

    def write_index(self) -> None:
        """Write results.jsonl, results.csv and index.html of all clips from the records."""
        from video_cam.batch.overview import write_overview

        with tempfile.TemporaryDirectory(prefix="video_cam-") as folder:
            results = Path(folder) / RESULTS
            self._records.write_results(results)
            local = Path(folder) / (self._root.rpartition("/")[2] or "results")  # the page's title
            local.mkdir()
            with results.open("rb") as file:
                write_overview(local, latest_records(file))
            self._upload_index(local)

    def _upload_index(self, local: Path) -> None:
        """Upload index.html after the files that it loads, then remove those of an earlier page."""
        data = [path for path in (local / INDEX_DATA).rglob("*") if path.is_file()]
        for folder in {path.parent.relative_to(local).as_posix() for path in data}:
            self._files.makedirs(self._path(folder), exist_ok=True)

        def upload(path: Path) -> None:
            self._files.put_file(str(path), self._path(path.relative_to(local).as_posix()))

        with ThreadPoolExecutor(_WRITERS) as writers:
            list(writers.map(upload, data))
        for path in local.iterdir():
            if path.is_file():
                upload(path)
        self._remove_other_data({path.parent.name for path in data})

    def _remove_other_data(self, kept: set[str]) -> None:
        folder = self._path(INDEX_DATA)
        self._files.invalidate_cache()
        if not self._files.exists(folder):
            return
        for path in self._files.ls(folder, detail=False):
            name = path.rstrip("/").rpartition("/")[2]
            if is_data_folder(name) and name not in kept:
                self._files.rm(path, recursive=True)

    def owner(self, name: str) -> str | None:
        """The id of the clip whose results are in the folder; None where there are none."""
        return owner_of(self.summary(name))

    def shown(self, name: str) -> str:
        """The address of a file or folder, for messages."""
        return f"{self._address}/{name}"

    def _upload(self, local: Path, name: str) -> None:
        summary = self._path(name, SUMMARY_FILE)
        if self._files.exists(summary):
            self._files.rm_file(summary)
        if self._files.exists(self._path(name)):
            self._files.rm(self._path(name), recursive=True)
        for file in sorted(local.rglob("*"), key=lambda f: (f.name == SUMMARY_FILE, f)):
            if file.is_file():
                target = self._path(name, file.relative_to(local).as_posix())
                self._files.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
                self._files.put_file(str(file), target)

    def _path(self, *parts: str) -> str:
        return "/".join([self._root, *parts])
