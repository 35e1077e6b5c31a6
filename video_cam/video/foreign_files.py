"""Say what a file is that cannot be read as a clip, and what to do with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from video_cam.video.formats import is_playlist

START_BYTES = 4096
# Brands of the pictures of phones. FFmpeg reads them as one video for each tile of the picture.
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"mif1")
_HTML = re.compile(rb"\A(\xef\xbb\xbf)?\s*<(!doctype html|html)", re.IGNORECASE)

_KINDS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the clip: run git lfs pull"),
    (b"%PDF-", "a PDF, not a clip"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file: save its array as .npy"),
)


def kind_by_start(start: bytes) -> str | None:
    """What a file that begins with these bytes is, and what to do; None if it may be a clip.

    FFmpeg takes some of these files for videos.
    """
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF and b"avif" not in start[:64]:
        return "a HEIF picture: convert it to JPEG or PNG"
    if _HTML.match(start):
        return "a web page, not a video: download the clip again"
    return next((text for beginning, text in _KINDS if start.startswith(beginning)), None)


def kind_of_file(path: Path) -> str | None:
    """What a file is that FFmpeg cannot read, and what to do; None where that is not known."""
    if is_playlist(path):
        return "a playlist, which is not followed; give the clips it names"
    try:
        with path.open("rb") as file:
            start = file.read(START_BYTES)
            if start[4:8] in (b"ftyp", b"mdat", b"wide", b"free") and not _has_index(file):
                return (
                    "a recording without its index (moov), as it was not finished or not copied "
                    "whole: copy it again, or repair it with untrunc and a whole recording of the "
                    "same camera"
                )
    except OSError:
        return None
    if start and not any(start):
        return "begins with zeros only, as a download or copy that was broken off: copy it again"
    return kind_by_start(start)


def _has_index(file: IO[bytes]) -> bool:
    """Whether an mp4 has a moov box at its top level (ISO/IEC 14496-12, 4.2)."""
    end = file.seek(0, 2)
    position = 0
    while position + 8 <= end:
        file.seek(position)
        head = file.read(16)
        if head[4:8] == b"moov":
            return True
        size = int.from_bytes(head[:4], "big")
        if size == 1:  # the size follows in 8 bytes
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # up to the file's end, or damaged
            return False
        position += size
    return False
