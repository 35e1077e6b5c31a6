"""Sheets of images: the contact sheet of keyframes, the comparison of all maps of one frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from video_cam.explanation.explanation import MapSeries
from video_cam.rendering.captions import captioned, font_size
from video_cam.rendering.image_files import save_image
from video_cam.rendering.overlay import fit, stack, stitch
from video_cam.rendering.panels import Panels
from video_cam.video.color import RGBImage

SHEET_SIDE, MIN_SHEET_SIDE = 320, 160  # pixels, the longer side of an image
SHEET_FONT_SIZE = 12  # pixels, at least
MAX_COMPARED_SIDE = 480  # pixels
_GAP = 4  # pixels between images


def sheet_image(panels: Panels, pixel_aspect: float) -> RGBImage:
    """An overlay for the contact sheet, in square pixels, with a caption that can be read there."""
    image = fit(panels.overlay, SHEET_SIDE, pixel_aspect, MIN_SHEET_SIDE)
    return captioned(image, panels.caption, max(font_size(image.shape[0]), SHEET_FONT_SIZE))


def write_contact_sheet(path: Path, images: Sequence[RGBImage]) -> None:
    """Write a JPEG of images in rows, from left to right and from top to bottom.

    Args:
        path: ends in .jpg.
        images: at least one, all of one width.
    """
    # About one and a half times as many columns as rows.
    columns = min(len(images), math.ceil(math.sqrt(1.5 * len(images))))
    padded = [np.pad(i, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255) for i in images]
    padded = _of_one_height(padded)
    blank = np.full_like(padded[0], 255)
    padded += [blank] * (-len(padded) % columns)
    rows = [stitch(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    save_image(path, stack(rows))


def write_comparison(
    path: Path, maps: Sequence[MapSeries], rows: Sequence[Panels], pixel_aspect: float = 1.0
) -> None:
    """Write the overlays of one frame: a row for each kind of map, a column for each target.

    Args:
        path: ends in .png.
        maps: what was drawn; targets keep their order, the best class first, the worst last.
        rows: the panels of every map, in the order of ``maps``. The source is the first column.
        pixel_aspect: width of their pixels divided by their height; those written are square.
    """
    source = fit(rows[0].source, MAX_COMPARED_SIDE, pixel_aspect)
    drawn = {
        (series.kind, series.target): captioned(
            fit(panels.overlay, MAX_COMPARED_SIDE, pixel_aspect), panels.caption
        )
        for series, panels in zip(maps, rows, strict=True)
    }
    targets = list(dict.fromkeys(series.target for series in maps))
    kinds = list(dict.fromkeys(series.kind for series in maps))
    blank = np.full_like(source, 255)
    lines = [[source, *(drawn.get((kind, target), blank) for target in targets)] for kind in kinds]
    save_image(path, stack([stitch(_of_one_height(line)) for line in lines]))


def _of_one_height(images: Sequence[RGBImage]) -> list[RGBImage]:
    """The images with white below the lower ones: captions have one line or several."""
    height = max(len(image) for image in images)
    return [np.pad(i, ((0, height - len(i)), (0, 0), (0, 0)), constant_values=255) for i in images]
