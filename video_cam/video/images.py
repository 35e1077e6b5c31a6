"""Still images and folders of numbered images, read through OpenCV."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from video_cam.errors import ClipError
from video_cam.video.color import over_black
from video_cam.video.container import named
from video_cam.video.limits import check_count, check_image

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".bmp", ".dib", ".tif", ".tiff"),
    *(".webp", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".exr", ".hdr"),
)
JPEG_START = b"\xff\xd8"


def is_image(path: Path) -> bool:
    """Whether the name is that of a still image. A GIF is not: it may move."""
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def is_frame_folder(path: Path) -> bool:
    """Whether this is a folder whose images are all numbered, as frames of a clip are."""
    images = _images(path) if path.is_dir() else []
    return bool(images) and all(_number(image) is not None for image in images)


def numbered_images(folder: Path) -> list[Path]:
    """The folder's images by the number that ends their names; ClipError if it has none."""
    images = _images(folder)
    if not images:
        raise ClipError(f"{named(folder)}: a folder with no images in it")
    unnumbered = next((image for image in images if _number(image) is None), None)
    if unnumbered is not None:
        raise ClipError(
            f"{named(folder)}: the name of {named(unnumbered.name)} ends in no number; "
            "name the frames frame_0001.png, frame_0002.png, ..."
        )
    check_count(named(folder), len(images))
    return sorted(images, key=lambda image: (_number(image), image.name))


def _images(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if is_image(p) and not p.name.startswith(".")]


def _number(image: Path) -> int | None:
    digits = re.search(r"[0-9]+\Z", image.stem)
    return int(digits.group()) if digits else None


def read_image(path: Path) -> np.ndarray:
    """The image as uint8 (H, W, 3) RGB, turned as its EXIF says, over black where transparent.

    Raises ClipError if it cannot be read.
    """
    check_image(path, named(path))
    try:
        data = path.read_bytes()
        encoded = np.frombuffer(data, np.uint8)  # bytes, because OpenCV garbles some file names
        alpha = None if data.startswith(JPEG_START) else _transparent(encoded)
        bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if alpha is None else alpha
    except (cv2.error, OSError) as error:
        raise ClipError(f"{named(path)}: cannot be read ({_first_line(error)})") from error
    if bgr is None:
        raise ClipError(f"{named(path)}: not an image that OpenCV can read; is it damaged?")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _transparent(encoded: np.ndarray) -> np.ndarray | None:
    """The image over black, BGR, if some of it is transparent (OpenCV gives no EXIF turn then)."""
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        return None
    if pixels.dtype == np.uint16:
        pixels = (pixels // 256).astype(np.uint8)
    if pixels.dtype != np.uint8 or pixels[..., 3].min() == 255:
        return None
    return over_black(pixels)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
