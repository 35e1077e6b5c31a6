"""The order in which files are written to disk and renamed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


class DiskLog:
    """Records calls of os.fsync, os.rename and os.replace, and still makes them.

    Attributes:
        calls: ("sync", inode), ("rename", inode of what was renamed) or ("write", data), in order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, Any]] = []
        fsync, write = os.fsync, os.write

        def record_sync(file: int) -> None:
            fsync(file)
            self.calls.append(("sync", os.fstat(file).st_ino))

        def record_write(file: int, data: bytes) -> int:
            self.calls.append(("write", data))
            return write(file, data)

        monkeypatch.setattr(os, "fsync", record_sync)
        monkeypatch.setattr(os, "write", record_write)
        for name in ("rename", "replace"):
            monkeypatch.setattr(os, name, self._recording(getattr(os, name)))

    def named(self, folder: Path) -> list[str]:
        """The calls that sync or rename what is now in ``folder``, with relative paths."""
        paths = {p.stat().st_ino: p.relative_to(folder) for p in (folder, *folder.rglob("*"))}
        return [
            f"{call} {paths[inode].as_posix()}"
            for call, inode in self.calls
            if call != "write" and inode in paths
        ]

    def _recording(self, rename: Any) -> Any:
        def record(source: Any, target: Any, **options: Any) -> None:
            self.calls.append(("rename", Path(source).stat().st_ino))
            rename(source, target, **options)

        return record
