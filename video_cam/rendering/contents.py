"""Sizes and digests of the files in a folder of results, as summary.json has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from video_cam.utils.files import files_and_folders, sha256_of


def describe_contents(folder: Path) -> dict[str, dict[str, Any]]:
    """The files below a folder by their relative path: "bytes", and "sha256" in hexadecimal."""
    files, _ = files_and_folders(folder)
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in sorted(files)
    }
