"""Results at an address that fsspec knows: s3://bucket/dir, gs://bucket/dir, memory://dir."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from video_cam.batch.results_file import RESULTS, json_line, latest, parse_rows
from video_cam.batch.store import owner_of
from video_cam.errors import UsageError
from video_cam.rendering.result_folder import SUMMARY_FILE


class RemoteStore:
    """Results in a bucket. It has no locks and no renaming: one run at a time writes there.

    A clip's summary.json is removed first and comes back last, so what has one is whole.
    """

    def __init__(self, address: str) -> None:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise UsageError(
                f"output folder {address!r} is an address, which needs fsspec: "
                "pip install -r requirements-ray.txt"
            ) from error
        try:
            self._files, self._root = url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise UsageError(f"output folder {address!r} cannot be opened: {error}") from error
        self._address = address.rstrip("/")

    def check(self, name: str) -> None:
        """Nothing to check: names are the clips' own."""

    @contextmanager
    def claim(self, name: str, wait_seconds: float) -> Iterator[None]:
        yield

    def summary(self, name: str) -> dict[str, Any] | None:
        try:
            summary = json.loads(self._files.cat_file(self._at(name, SUMMARY_FILE)))
        except (OSError, ValueError):
            return None
        return summary if isinstance(summary, dict) else None

    def holds(self, name: str, files: Sequence[str]) -> bool:
        return all(self._files.exists(self._at(name, file)) for file in files)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="video_cam-") as folder:
            local = Path(folder) / name
            yield local
            self._upload(local, name)

    def _upload(self, local: Path, name: str) -> None:
        mark = self._at(name, SUMMARY_FILE)
        if self._files.exists(mark):
            self._files.rm_file(mark)
        if self._files.exists(self._at(name)):
            self._files.rm(self._at(name), recursive=True)
        for file in sorted(local.rglob("*"), key=lambda f: (f.name == SUMMARY_FILE, f)):
            if file.is_file():
                target = self._at(name, file.relative_to(local).as_posix())
                self._files.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
                self._files.put_file(str(file), target)

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        # A bucket's files cannot grow: the whole list is written again, in one step.
        if rows:
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(self._at(RESULTS), self._list() + b"".join(map(json_line, rows)))

    def rows(self) -> list[dict[str, Any]]:
        return latest(parse_rows(self._list()))

    def write_index(self) -> None:
        from video_cam.rendering.page.gallery import write_gallery

        with tempfile.TemporaryDirectory(prefix="video_cam-") as folder:
            write_gallery(Path(folder), self.rows())
            for page in Path(folder).iterdir():
                self._files.put_file(str(page), self._at(page.name))

    def owner(self, name: str) -> str | None:
        return owner_of(self.summary(name))

    def shown(self, name: str) -> str:
        return f"{self._address}/{name}"

    def _list(self) -> bytes:
        try:
            data: bytes = self._files.cat_file(self._at(RESULTS))
        except FileNotFoundError:
            return b""
        return data

    def _at(self, *parts: str) -> str:
        return "/".join([self._root.rstrip("/"), *parts])
