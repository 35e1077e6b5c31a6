"""The text of an annotation file."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from video_cam.errors import UsageError
from video_cam.utils.files import read_regular

MAX_BYTES = 2**30  # COCO's own annotations have half of it


def read_text(path: Path) -> str:
    """The text, in UTF-8 or in UTF-16 with a byte order mark; lines end with \\n.

    Raises:
        UsageError: where the file cannot be read, or is no text.
    """
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise UsageError(
            f"ground truth {str(path)!r} cannot be read: {error.strerror or error}"
        ) from error
    try:
        is_utf16 = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_readable(path, "it is no text in UTF-8") from error
    if "\0" in text:
        raise not_readable(path, "it is no text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def not_readable(path: Path, reason: str) -> UsageError:
    """The error of a file that holds something else than annotations."""
    return UsageError(
        f"ground truth {str(path)!r}: {reason}; expected CSV, JSON, CVAT's XML for video, or the "
        "annotations of Kinetics, UCF101, Something-Something or COCO"
    )
