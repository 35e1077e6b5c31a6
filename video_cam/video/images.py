"""Read still images and folders of numbered images, through OpenCV."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError, first_line
from video_cam.utils.names import printable_path
from video_cam.video.avif import avif_notes, needs_ffmpeg, read_avif
from video_cam.video.color import over_black
from video_cam.video.color_profiles import CONVERTED, conversion_of, converted
from video_cam.video.image_sequences import number_of, sequences_of
from video_cam.video.limits import check_count, check_image, check_size
from video_cam.video.tiff_pages import first_page
from video_cam.video.tiff_values import CONVERTIBLE, check_page, is_over_black, rgb_values

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".bmp", ".dib", ".tif", ".tiff"),
    *(".webp", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".exr", ".hdr"),
)
JPEG_START = b"\xff\xd8"  # JPEG has no alpha channel, so one decoding suffices
TIFF_STARTS = (b"II", b"MM")  # TIFF's byte orders; its pictures may be of any numbers
DEEP_STARTS = (*TIFF_STARTS, b"\x89P", b"P2", b"P3", b"P5", b"P6")  # TIFF, PNG, PNM


def is_image(path: Path) -> bool:
    """Whether the file's name is that of a still image. A GIF is not one: it may move."""
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def is_frame_folder(path: Path) -> bool:
    """Whether the path is a folder whose images all have numbered names, as a clip's frames do."""
    images = images_in(path) if path.is_dir() else []
    return bool(images) and all(number_of(image) is not None for image in images)


def numbered_images(folder: Path, limits: LimitsConfig) -> list[Path]:
    """The folder's images, sorted by the number at the end of their names.

    Raises:
        ClipError: without images, for a name without a number, for several sequences, or for too
            many images.
    """
    images = images_in(folder)
    if not images:
        raise ClipError(f"{printable_path(folder)}: a folder with no images in it")
    unnumbered = next((image for image in images if number_of(image) is None), None)
    if unnumbered is not None:
        raise ClipError(
            f"{printable_path(folder)}: the name of {printable_path(unnumbered.name)} ends in no "
            "number; name the frames frame_0001.png, frame_0002.png, ..."
        )
    if several := sequences_of(images):
        names = ", ".join(printable_path(path.name) for path in several[:3])
        raise ClipError(
            f"{printable_path(folder)}: holds {len(several)} clips of numbered images ({names}"
            f"{', ...' if len(several) > 3 else ''}); give one of these names"
        )
    check_count(folder, len(images), limits)
    return sorted(images, key=lambda image: (number_of(image), image.name))


def read_image(path: Path, limits: LimitsConfig) -> np.ndarray:
    """The image as it is stored, turned as its EXIF data say, transparent parts over black.

    Colours are converted to sRGB as the ICC profile of an image of 8 bits says, or the tags of an
    AVIF.

    Returns:
        (H, W, 3) RGB: uint8; uint16 for images of 16 bits; other numbers as TIFF may have them.

    Raises:
        ClipError: if the image cannot be read or has too many pixels.
    """
    _check_size(path, limits)
    try:
        data = path.read_bytes()  # OpenCV cannot open some file names by itself
        bgr = _decoded(data, path)
    except (cv2.error, OSError) as error:
        raise ClipError(f"{printable_path(path)}: cannot be read ({first_line(error)})") from error
    if bgr is None:
        raise ClipError(
            f"{printable_path(path)}: not an image that OpenCV can read; is it damaged?"
        )
    if bgr.dtype not in CONVERTIBLE:
        return bgr[..., ::-1]
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    if needs_ffmpeg(data):
        exact = read_avif(path, limits, (rgb.shape[1], rgb.shape[0]))
        return rgb if exact is None else exact
    conversion = conversion_of(data) if rgb.dtype == np.uint8 else None
    return rgb if conversion is None else converted(rgb, conversion)


def color_notes(path: Path, limits: LimitsConfig) -> tuple[str, ...]:
    """A line on the conversion of an image's colours; none where they are not converted."""
    data = path.read_bytes()
    if needs_ffmpeg(data):
        return avif_notes(path, limits)
    return (CONVERTED,) if conversion_of(data) else ()


def _check_size(path: Path, limits: LimitsConfig) -> None:
    """Raise ClipError for an image beyond the limits; reads only the file's header."""
    try:
        with path.open("rb") as file:
            page = first_page(file)
    except OSError:  # the reader of the picture says why
        page = None
    if page is None or not page.width * page.height:
        check_image(path, limits)
    else:  # Pillow does not know all types of numbers
        check_size(path, page.width, page.height, limits)


def _decoded(data: bytes, path: Path) -> np.ndarray | None:
    """(H, W, 3) BGR of an image file."""
    encoded = np.frombuffer(data, np.uint8)
    if data.startswith(JPEG_START):
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    stored = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if stored is None:
        return None
    page = first_page(BytesIO(data))
    if page is not None:
        check_page(page, stored, path)
        if stored.dtype not in CONVERTIBLE:
            return rgb_values(page, stored)[..., ::-1]
    if _is_transparent(stored) and not (page and is_over_black(page, stored.dtype)):
        return over_black(stored)
    # Unlike the decoding above, these turn the image as its EXIF data say. Other formats than
    # these know how many bits their data have, and OpenCV uses that.
    keeps_depth = stored.dtype == np.uint16 and data.startswith(DEEP_STARTS)
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR | (cv2.IMREAD_ANYDEPTH if keeps_depth else 0))


def _is_transparent(stored: np.ndarray) -> bool:
    """Whether it is BGRA of which a part is transparent."""
    has_alpha = stored.ndim == 3 and stored.shape[2] == 4
    if not has_alpha or stored.dtype not in (np.uint8, np.uint16):
        return False
    return bool(stored[..., 3].min() < np.iinfo(stored.dtype).max)


def images_in(folder: Path) -> list[Path]:
    """The still images in a folder by their names, without hidden ones, in no order."""
    return [p for p in folder.iterdir() if is_image(p) and not p.name.startswith(".")]
