"""Sizes and digests of the files in a folder of results, as summary.json has them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from video_cam.utils.files import open_regular

_BLOCK_BYTES = 2**20


def describe_contents(folder: Path) -> dict[str, dict[str, Any]]:
    """The files below a folder by their relative path: "bytes", and "sha256" in hexadecimal."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path),
        }
        for path in files
    }


def sha256_of(path: Path) -> str:
    """SHA-256 of a regular file, as 64 hexadecimal digits.

    Raises:
        OSError: where it cannot be read, or is no regular file.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
