"""Open clips that FFmpeg does not read: images, folders of them, pages, animations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from video_cam.config import LimitsConfig
from video_cam.errors import ClipError, first_line
from video_cam.utils.names import printable_path
from video_cam.video.array_clips import is_array_file, open_array
from video_cam.video.dicom import START, START_AT, is_dicom, open_dicom
from video_cam.video.foreign_files import kind_by_start
from video_cam.video.image_sequences import num_missing, sequence_images, sequences_of
from video_cam.video.images import (
    color_notes,
    images_in,
    is_image,
    numbered_images,
    read_image,
)
from video_cam.video.levels import Levels, check_type, found_levels, notes, spread, to_levels
from video_cam.video.limits import DEFAULT_LIMITS, check_count, check_size, size_in_header
from video_cam.video.picture_source import NO_RATE, PictureSource, at_usual_rate, by_index
from video_cam.video.tiff_pages import Page, pages_of, stack_notes
from video_cam.video.tiff_values import check_page, rgb_values
from video_cam.video.webp import frame_durations, open_webp

TIFF_SUFFIXES = (".tif", ".tiff")
CUT_OFF = "the file breaks off in its list of pages: pages may be missing"
GIF_START = b"GIF8"
PNG_START = b"\x89PNG\r\n\x1a\n"


def open_pictures(
    path: Path, limits: LimitsConfig, levels: Levels | None = None
) -> PictureSource | None:
    """The pictures of a clip that FFmpeg does not read; None for a video.

    Args:
        path: a file, a folder of numbered images, or their name with %d.
        limits: how much the file may ask for.
        levels: for pictures of more than 8 bits; None to find them.

    Raises:
        ClipError: if it cannot be read, or is beyond the limits.
    """
    if path.is_dir():
        return _folder(path, limits, levels)
    if sequence := sequence_images(path):
        check_count(path, len(sequence), limits)
        return _images(path, sequence, limits, levels)
    start = _start(path)
    if is_dicom(path, start):
        return open_dicom(path, start, limits, levels)
    if is_array_file(path, start):
        return open_array(path, start, limits, levels)
    if kind := kind_by_start(start):
        raise ClipError(f"{printable_path(path)}: {kind}")
    if not is_image(path):
        return None
    try:
        if durations := frame_durations(path):
            return open_webp(path, durations, limits)
        if is_moving_image(path):
            return None
        is_tiff = path.suffix.lower() in TIFF_SUFFIXES
        pages, is_whole = pages_of(path, limits) if is_tiff else ([], True)
    except OSError as error:
        raise ClipError(f"{printable_path(path)}: cannot be read ({error.strerror})") from error
    frames = [page for page in pages if not page.is_auxiliary]
    if len(frames) > 1:
        source = _tiff(path, frames, limits, levels)
    else:
        source = _images(path, [path], limits, levels)
    return replace(
        source,
        conversions=(*stack_notes(frames), *source.conversions),
        problems=source.problems if is_whole else (CUT_OFF, *source.problems),
    )


def image_clips(folder: Path) -> list[Path]:
    """The clips in a folder of numbered images: the folder itself, or several in it.

    Several are sequences of images, or images that are clips themselves.
    """
    images = images_in(folder)
    if images and holds_several(min(images)):
        return images
    return sequences_of(images) or [folder]


def holds_several(image: Path) -> bool:
    """Whether an image file has several pictures: it is an animation, or a TIFF of many pages."""
    try:
        pages = pages_of(image, DEFAULT_LIMITS)[0]
        frames = [page for page in pages if not page.is_auxiliary]
        return len(frames) > 1 or bool(frame_durations(image)) or is_moving_image(image)
    except OSError:
        return False
    except ClipError:  # more pages than a clip may have
        return True


def _start(path: Path) -> bytes:
    """The first bytes of a file; none where it cannot be read, which its reader will tell."""
    try:
        with path.open("rb") as file:
            return file.read(START_AT + len(START))
    except OSError:
        return b""


def is_moving_image(path: Path) -> bool:
    """Whether it is a GIF, an animated PNG or an AVIF sequence: FFmpeg reads these."""
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(GIF_START):
            return True
        if start == PNG_START:
            return _has_animation(file)
        size = int.from_bytes(start[:4], "big")
        return start[4:] == b"ftyp" and b"avis" in file.read(min(size, 64))


def _has_animation(file: IO[bytes]) -> bool:
    """Whether a PNG, read up to its first chunk, has an acTL chunk before the picture."""
    while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        if head[4:] == b"acTL":
            return True
        file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False


def _folder(path: Path, limits: LimitsConfig, levels: Levels | None) -> PictureSource:
    images = numbered_images(path, limits)
    if holds_several(images[0]):
        raise ClipError(
            f"{printable_path(path)}: {printable_path(images[0].name)} in it holds several "
            "pictures, so it is a clip itself: give the files in the folder one by one"
        )
    return _images(path, images, limits, levels)


def _images(
    path: Path, images: list[Path], limits: LimitsConfig, levels: Levels | None
) -> PictureSource:
    first = read_image(images[0], limits)

    def stored(index: int) -> np.ndarray:
        values = first if index == 0 else read_image(images[index], limits)
        return check_type(values, first.dtype, images[index])

    chosen = found_levels(stored, len(images), levels)

    def read(index: int) -> np.ndarray:
        return to_levels(stored(index), chosen, images[index])

    height, width = first.shape[:2]
    return PictureSource(
        at_usual_rate(len(images)),
        (width, height),
        by_index(read),
        is_still=images == [path],
        levels=chosen,
        conversions=(
            *_other_sizes(images, (width, height)),
            *(color_notes(images[0], limits) if chosen is None else ()),
            *notes(chosen, first.dtype),
        ),
        problems=tuple(_missing_numbers(images)),
    )


def _missing_numbers(images: list[Path]) -> Iterator[str]:
    if missing := num_missing(images):
        numbers = "number is" if missing == 1 else "numbers are"
        yield f"{missing} {numbers} missing in the names of the images: shown as if none were"


def _other_sizes(images: list[Path], size: tuple[int, int]) -> Iterator[str]:
    """A line on other sizes in the images that are looked at."""
    sizes = {size_in_header(images[place]) for place in spread(len(images))[1:]}
    swapped = (size[1], size[0])  # images turned by their EXIF data have the other in the header
    if sizes - {size, swapped, None}:
        yield f"the images differ in size: all are scaled to the first one's {size[0]}x{size[1]}"


def _tiff(
    path: Path, pages: list[Page], limits: LimitsConfig, levels: Levels | None
) -> PictureSource:
    for page in pages:
        check_size(path, page.width, page.height, limits)
    encoded = np.memmap(path, np.uint8, "r")
    first = _page(path, encoded, pages[0])

    def stored(index: int) -> np.ndarray:
        values = first if index == 0 else _page(path, encoded, pages[index])
        return check_type(values, first.dtype, f"{path}, page {index}")

    chosen = found_levels(stored, len(pages), levels)

    def read(index: int) -> np.ndarray:
        return to_levels(stored(index), chosen, path)

    return PictureSource(
        at_usual_rate(len(pages)),
        (first.shape[1], first.shape[0]),
        by_index(read),
        levels=chosen,
        conversions=(NO_RATE, *notes(chosen, first.dtype)),
    )


def _page(path: Path, encoded: np.ndarray, page: Page) -> np.ndarray:
    """(H, W, 3) RGB of one page, as it is stored."""
    place = (page.index, page.index + 1)
    try:
        is_read, found = cv2.imdecodemulti(encoded, cv2.IMREAD_UNCHANGED, range=place)
    except cv2.error as error:
        raise ClipError(
            f"{printable_path(path)}: page {page.index} cannot be read ({first_line(error)})"
        ) from error
    if not is_read or len(found) != 1:
        raise ClipError(
            f"{printable_path(path)}: page {page.index} cannot be read; is the file damaged?"
        )
    check_page(page, found[0], path)
    return rgb_values(page, found[0])
