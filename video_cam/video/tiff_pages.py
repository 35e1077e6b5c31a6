"""The pages of a TIFF file: microscopes store a recording as one file of many pages.

Read from the directories of the file (TIFF 6.0, section 2, and BigTIFF), without decoding.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from video_cam.config import LimitsConfig
from video_cam.video.limits import check_count

WIDTH, HEIGHT, SUBFILE, DESCRIPTION = 256, 257, 254, 270  # tags
PHOTOMETRIC, SAMPLES, EXTRA_SAMPLES = 262, 277, 338
_NUMBERS = (WIDTH, HEIGHT, SUBFILE, PHOTOMETRIC, SAMPLES, EXTRA_SAMPLES)
LARGEST_PLACE = 1 << 62  # in a file
MAX_DESCRIPTION = 1 << 16  # bytes that are looked at
# How ImageJ and OME-TIFF say how many channels and slices a recording has.
_CHANNELS = re.compile(rb'\bchannels=(\d{1,6})|\bSizeC="(\d{1,6})"')
_SLICES = re.compile(rb'\bslices=(\d{1,6})|\bSizeZ="(\d{1,6})"')
_IMAGES = re.compile(rb"\AImageJ=.*?^images=(\d{1,9})", re.DOTALL | re.MULTILINE)
REDUCED_OR_MASK = 0b101  # bits of SUBFILE: a smaller version of another page, or a mask
_SIZES = {1: "B", 3: "H", 4: "I", 16: "Q"}  # types of whole numbers


@dataclass(frozen=True)
class Page:
    """One picture.

    Attributes:
        index: among all pictures of the file, from 0.
        width, height: in pixels.
        is_auxiliary: a thumbnail or mask of another page.
        description: what the program that wrote the file says about it; of the first page only.
        photometric: PhotometricInterpretation, 0 for gray whose smallest value is white.
        samples: numbers of each pixel.
        extra: what the first number beyond the colour is: 1 for alpha by which the colour is
            multiplied already, 2 for alpha by which it is not, else unknown.
    """

    index: int
    width: int
    height: int
    is_auxiliary: bool
    description: bytes = b""
    photometric: int = 1
    samples: int = 1
    extra: int = 0


def stack_notes(pages: list[Page]) -> Iterator[str]:
    """Lines on what a microscope's recording holds besides frames one after another."""
    if not pages:
        return
    text = pages[0].description
    channels, slices, images = (_count(form, text) for form in (_CHANNELS, _SLICES, _IMAGES))
    if len(pages) > 1 and max(channels, slices) > 1:
        yield (
            f"the file names {channels} channels and {slices} slices: its pages are shown one "
            "after another, whatever they are"
        )
    if images > len(pages):
        yield (
            f"the file names {images} pictures and lists {len(pages)}: only these are shown; save "
            "it with a page for each picture, as OME-TIFF or .npy"
        )


def _count(form: re.Pattern[bytes], text: bytes) -> int:
    """The number that a description names, 1 without it."""
    found = form.search(text)
    return int(next(filter(None, found.groups()))) if found else 1


def pages_of(path: Path, limits: LimitsConfig) -> tuple[list[Page], bool]:
    """The pages of a TIFF file, none of another file; and whether their list is whole.

    Raises:
        ClipError: for more pages than ``limits.max_frames``.
        OSError: if the file cannot be read.
    """
    pages: list[Page] = []
    with path.open("rb") as file:
        try:
            for page in _pages(file):
                pages.append(page)
                check_count(path, len(pages), limits)
        except (struct.error, ValueError):  # a place behind the file's end, or beyond any file
            return pages, False
    return pages, True


def first_page(file: IO[bytes]) -> Page | None:
    """The first page of an open TIFF file; None for another file, or a damaged one."""
    try:
        return next(_pages(file), None)
    except (struct.error, ValueError):
        return None


def _pages(file: IO[bytes]) -> Iterator[Page]:
    start = file.read(8)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None:
        return
    version, offset = struct.unpack(order + "HI", start[2:])
    is_big = version == 43
    if version not in (42, 43):
        return
    if is_big:
        offset = _number(file, 8, order + "Q")
    seen: set[int] = set()
    while offset and offset not in seen:  # a damaged file may run in a circle
        seen.add(offset)
        tags, place, offset = _directory(file, offset, order, is_big)
        is_auxiliary = bool(tags.get(SUBFILE, 0) & REDUCED_OR_MASK)
        description = b""
        if 0 < place < LARGEST_PLACE and len(seen) == 1:
            file.seek(place)
            description = file.read(MAX_DESCRIPTION).partition(b"\0")[0]
        yield Page(
            len(seen) - 1,
            tags.get(WIDTH, 0),
            tags.get(HEIGHT, 0),
            is_auxiliary,
            description,
            tags.get(PHOTOMETRIC, 1),
            tags.get(SAMPLES, 1),
            tags.get(EXTRA_SAMPLES, 0),
        )


def _directory(
    file: IO[bytes], offset: int, order: str, is_big: bool
) -> tuple[dict[int, int], int, int]:
    """The tags that say what a page is, and the places of its description and the next directory.

    A place is 0 where there is none.
    """
    count_form, entry_form, next_form = ("Q", "HHQ8s", "Q") if is_big else ("H", "HHI4s", "I")
    count = _number(file, offset, order + count_form)
    size = struct.calcsize(order + entry_form)
    entries = file.read(min(count, 0xFFFF) * size)
    tags: dict[int, int] = {}
    description = 0
    for place in range(0, len(entries) - size + 1, size):
        tag, kind, _, value = struct.unpack_from(order + entry_form, entries, place)
        if tag in _NUMBERS and kind in _SIZES:
            tags[tag] = struct.unpack_from(order + _SIZES[kind], value)[0]
        if tag == DESCRIPTION:
            description = struct.unpack(order + ("Q" if is_big else "I"), value)[0]
    (following,) = struct.unpack(order + next_form, file.read(struct.calcsize(order + next_form)))
    return tags, description, following


def _number(file: IO[bytes], offset: int, form: str) -> int:
    file.seek(offset)
    return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])
