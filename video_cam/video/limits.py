"""Refuse files that ask for too much: a few bytes can announce a picture that fills any memory."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError
from video_cam.utils.files import StrPath
from video_cam.utils.names import printable_path

DEFAULT_LIMITS = LimitsConfig()

# Formats that OpenCV reads and Pillow may not: OpenCV's own limit of 2**30 pixels applies to them.
_SIZE_MAY_BE_UNKNOWN = {".hdr", ".exr", ".avif", ".jp2"}


def check_size(path: StrPath, width: int, height: int, limits: LimitsConfig) -> None:
    """Raise ClipError for a picture of more than ``limits.max_pixels`` pixels."""
    if width * height > limits.max_pixels:
        raise ClipError(
            f"{printable_path(path)}: pictures of {width}x{height} have more than "
            f"{limits.max_pixels} pixels; if you trust the file, raise --max-pixels"
        )


def check_count(path: StrPath, num_frames: int, limits: LimitsConfig) -> None:
    """Raise ClipError for a clip of more than ``limits.max_frames`` frames."""
    if num_frames > limits.max_frames:
        raise ClipError(
            f"{printable_path(path)}: more than {limits.max_frames} frames; if you trust the "
            "file, raise --max-frames, or cut it"
        )


def check_image(path: Path, limits: LimitsConfig) -> None:
    """Raise ClipError for an image beyond ``limits.max_pixels``; reads only the file's header."""
    size = size_in_header(path)
    if size is not None:
        check_size(path, *size, limits)
    elif path.suffix.lower() not in _SIZE_MAY_BE_UNKNOWN:
        raise ClipError(f"{printable_path(path)}: not an image that can be read; is it damaged?")


def size_in_header(path: Path) -> tuple[int, int] | None:
    """(width, height) in pixels, None if Pillow cannot tell."""
    kept = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit cannot be raised by --max-pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return image.size
    except Exception:  # a damaged or malicious header can make Pillow raise anything
        return None
    finally:
        Image.MAX_IMAGE_PIXELS = kept
