"""Read still images and folders of numbered images, through OpenCV."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError, first_line
from video_cam.utils.names import printable_path
from video_cam.video.color import RGBImage, over_black
from video_cam.video.limits import check_count, check_image

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".bmp", ".dib", ".tif", ".tiff"),
    *(".webp", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".exr", ".hdr"),
)
JPEG_START = b"\xff\xd8"  # JPEG has no alpha channel, so one decoding suffices


def is_image(path: Path) -> bool:
    """Whether the file's name is that of a still image. A GIF is not one: it may move."""
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def is_frame_folder(path: Path) -> bool:
    """Whether the path is a folder whose images all have numbered names, as a clip's frames do."""
    images = _images(path) if path.is_dir() else []
    return bool(images) and all(_number(image) is not None for image in images)


def numbered_images(folder: Path, limits: LimitsConfig) -> list[Path]:
    """The folder's images, sorted by the number at the end of their names.

    Raises:
        ClipError: without images, for a name without a number, or for too many images.
    """
    images = _images(folder)
    if not images:
        raise ClipError(f"{printable_path(folder)}: a folder with no images in it")
    unnumbered = next((image for image in images if _number(image) is None), None)
    if unnumbered is not None:
        raise ClipError(
            f"{printable_path(folder)}: the name of {printable_path(unnumbered.name)} ends in no "
            "number; name the frames frame_0001.png, frame_0002.png, ..."
        )
    check_count(folder, len(images), limits)
    return sorted(images, key=lambda image: (_number(image), image.name))


def read_image(path: Path, limits: LimitsConfig) -> RGBImage:
    """The image, turned as its EXIF data say, transparent parts over black.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        ClipError: if the image cannot be read or has too many pixels.
    """
    check_image(path, limits)
    try:
        data = path.read_bytes()
        encoded = np.frombuffer(data, np.uint8)  # OpenCV cannot open some file names by itself
        over = None if data.startswith(JPEG_START) else _transparent_over_black(encoded)
        bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if over is None else over
    except (cv2.error, OSError) as error:
        raise ClipError(f"{printable_path(path)}: cannot be read ({first_line(error)})") from error
    if bgr is None:
        raise ClipError(
            f"{printable_path(path)}: not an image that OpenCV can read; is it damaged?"
        )
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _images(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if is_image(p) and not p.name.startswith(".")]


def _number(image: Path) -> int | None:
    digits = re.search(r"[0-9]+\Z", image.stem)
    return int(digits.group()) if digits else None


def _transparent_over_black(encoded: np.ndarray) -> np.ndarray | None:
    """uint8 (H, W, 3) BGR if a part is transparent, else None: this way ignores EXIF turns."""
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        return None
    if pixels.dtype == np.uint16:
        pixels = (pixels // 256).astype(np.uint8)
    if pixels.dtype != np.uint8 or pixels[..., 3].min() == 255:
        return None
    return over_black(pixels)
