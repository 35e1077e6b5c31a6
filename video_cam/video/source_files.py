"""The files that a clip is read from, and a digest of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from video_cam.errors import ClipError
from video_cam.utils.files import StrPath, sha256_of
from video_cam.utils.names import printable_path
from video_cam.video.image_sequences import number_of, sequence_images
from video_cam.video.images import images_in

WHOLE_BYTES = 64 * 2**20  # of all files together that are read completely
LEAST_BYTES = 64 * 2**10  # that are read of each of many files
NUM_BLOCKS = 16  # that are read of a larger file, evenly spread from its first to its last bytes


def source_files(path: StrPath) -> list[Path]:
    """The clip's file, or its numbered images in their order."""
    path = Path(path)
    if path.is_dir():
        return sorted(images_in(path), key=lambda image: (number_of(image) or 0, image.name))
    return sequence_images(path) or [path]


def source_digest(path: StrPath) -> str:
    """A digest of a clip's content, whatever its name and place are.

    Returns:
        "sha256:" and the SHA-256 of a file of at most WHOLE_BYTES. Otherwise "sha256-parts:"
        and the SHA-256 over each file's size (8 bytes, little-endian) and NUM_BLOCKS of its blocks,
        or all of a file that is small.

    Raises:
        ClipError: for a file that cannot be read.
    """
    files = source_files(path)
    try:
        if len(files) == 1 and files[0].stat().st_size <= WHOLE_BYTES:
            return f"sha256:{sha256_of(files[0])}"
        digest = hashlib.sha256()
        most = max(WHOLE_BYTES // max(len(files), 1), LEAST_BYTES)
        for file in files:
            for part in _parts(file, most):
                digest.update(part)
    except OSError as error:
        raise ClipError(f"{printable_path(path)}: cannot be read ({error.strerror})") from error
    return f"sha256-parts:{digest.hexdigest()}"


def _parts(path: Path, most: int) -> Iterator[bytes]:
    """The size of a file, and at most so many bytes of it."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        yield size.to_bytes(8, "little")
        if size <= most:
            yield file.read()
            return
        block = most // NUM_BLOCKS
        for number in range(NUM_BLOCKS):
            file.seek((size - block) * number // (NUM_BLOCKS - 1))
            yield file.read(block)
