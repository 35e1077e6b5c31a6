"""Which paths may be clips."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from video_cam.errors import ClipError
from video_cam.utils.field_types import check_path
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path
from video_cam.video.addresses import why_missing
from video_cam.video.image_sequences import sequence_images


def checked_path(path: StrPath) -> Path:
    """The path, after checking that it is a folder, a file that is not empty, or a sequence.

    Raises:
        ClipError: for any other path.
        UsageError: for what is no path.
    """
    check_path("the clip", path)
    found, shown = Path(path), printable_path(path)
    try:
        status = found.stat()
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(found):  # raises where the folder may not be read
                return found
    except (FileNotFoundError, NotADirectoryError) as error:
        if sequence_images(found):
            return found
        if found.is_symlink():
            raise ClipError(f"{shown}: a link to a file that does not exist") from error
        raise ClipError(f"{shown}: {why_missing(os.fspath(path))}") from error
    except OSError as error:
        raise ClipError(f"{shown}: cannot be opened ({error.strerror}); check the path") from error
    except ValueError as error:
        raise ClipError(f"{shown}: no file can have a NUL byte in its name") from error
    if not stat.S_ISREG(status.st_mode):
        raise ClipError(f"{shown}: not a regular file; copy the clip to one first")
    if status.st_size == 0:
        raise ClipError(f"{shown}: the file is empty; copy or download it again")
    return found


def no_frame_error(path: StrPath) -> ClipError:
    """The error of a clip without a single frame that decodes."""
    return ClipError(
        f"{printable_path(path)}: no frame can be decoded; the file is damaged or not a video"
    )
