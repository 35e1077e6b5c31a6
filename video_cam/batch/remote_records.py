"""Records of clips at an address, where a file cannot grow: each append writes a small file."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from video_cam.batch.results_file import RESULTS, json_line, latest_records

PARTS = ".results"  # their folder; no clip's folder begins with a dot
PARTS_TO_JOIN = 256  # a run that has written so many replaces them by one
# Longer than any run takes between reading the parts and writing results.jsonl: another run that
# read them before one was added must not write the file after that one was removed.
SECONDS_TO_KEEP = 24 * 3600
_READERS = 16  # files read at the same time: a request takes long, and little data comes
_ATTEMPTS = 5


class RemoteRecords:
    """The records below an address.

    Runs that write at the same time never lose each other's records: each joins only its own
    parts. ``results.jsonl`` is written at the end of a run, and is what remains of old parts.
    """

    def __init__(self, files: Any, root: str) -> None:
        """Name the records.

        Args:
            files: a file system of fsspec.
            root: the path of the output folder in it, without a separator at its end.
        """
        self._files, self._root, self._folder = files, root, f"{root}/{PARTS}"
        self._own_parts: dict[str, bytes] = {}

    def append(self, records: Sequence[dict[str, Any]]) -> None:
        """Write records to a new part.

        Raises:
            OSError: where it cannot be written.
        """
        if not records:
            return
        self._write_part(b"".join(map(json_line, records)))
        if len(self._own_parts) >= PARTS_TO_JOIN:
            self._join_own_parts()

    def read(self) -> Iterator[dict[str, Any]]:
        """The last record of each clip, read one by one.

        Raises:
            OSError: while they are read, where the records cannot be read.
        """
        with tempfile.TemporaryFile() as file:
            self._copy_all(file)
            yield from latest_records(file)

    def write_results(self, path: Path) -> None:
        """Write ``results.jsonl`` and remove old parts, which are in it.

        Args:
            path: gets a copy of the file: a line for each clip.

        Raises:
            OSError: where the records cannot be read, or the file cannot be written.
        """
        with tempfile.TemporaryFile() as file, path.open("wb") as results:
            parts = self._copy_all(file)
            results.writelines(map(json_line, latest_records(file)))
        if path.stat().st_size:
            self._files.makedirs(self._root, exist_ok=True)
            self._files.put_file(str(path), f"{self._root}/{RESULTS}")
        old = f"{time.time_ns() - int(SECONDS_TO_KEEP * 1e9):020d}"
        self._remove([path for path in parts if path.rsplit("/", 1)[1] < old])

    def _copy_all(self, file: IO[bytes]) -> list[str]:
        """Write the lines of all files to a local one, and return the paths of the parts."""
        for attempt in range(_ATTEMPTS):
            parts = self._parts()
            file.seek(0)
            file.truncate()
            with suppress(FileNotFoundError), ThreadPoolExecutor(_READERS) as readers:
                self._copy_results(file)
                for first in range(0, len(parts), _READERS):  # else all of them would be in memory
                    file.writelines(readers.map(self._content, parts[first : first + _READERS]))
                file.seek(0)
                return parts
            # Another run has joined parts since they were listed.
            time.sleep(attempt)
        raise OSError(f"the files in {self._folder} change too often to be read")

    def _copy_results(self, file: IO[bytes]) -> None:
        path = f"{self._root}/{RESULTS}"
        if self._files.exists(path):  # else no run has ended yet
            with self._files.open(path, "rb") as source:
                shutil.copyfileobj(source, file)
            file.write(b"\n")

    def _write_part(self, data: bytes) -> str:
        path = f"{self._folder}/{time.time_ns():020d}-{secrets.token_hex(4)}.jsonl"
        self._files.makedirs(self._folder, exist_ok=True)
        self._files.pipe_file(path, data)
        self._own_parts[path] = data
        return path

    def _join_own_parts(self) -> None:
        """Replace the parts of this run by one; parts that cannot be removed do no harm."""
        small = dict(self._own_parts)
        try:
            joined = self._write_part(b"".join(small.values()))
        except OSError:
            return  # they are joined with the next ones
        for path in (joined, *small):
            del self._own_parts[path]
        self._remove(list(small))

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            with suppress(OSError):
                self._files.rm_file(path)

    def _parts(self) -> list[str]:
        """The paths of all parts, oldest first."""
        self._files.invalidate_cache(self._folder)
        try:
            return sorted(self._files.ls(self._folder, detail=False))
        except FileNotFoundError:
            return []

    def _content(self, path: str) -> bytes:
        data: bytes = self._files.cat_file(path)
        return data + b"\n"
