"""Contour lines of heat on an image: where the heat has a chosen level."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from contourpy import contour_generator

from video_cam.video.color import RGBImage

Heat = np.ndarray  # float32 (H, W) in [0, 1]
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom excluded

# A line is white with a dark edge, so that it is seen on every picture and every heat. Its width
# follows the picture's shorter side: the line is still seen where a sheet shows the picture small.
SIDE_OF_ONE_PIXEL = 220
_SHIFT = 4  # bits of fractions of a pixel in OpenCV's coordinates
_DARK, _BRIGHT = (0, 0, 0), (255, 255, 255)


def draw_contours(image: RGBImage, heat: Heat, box: Box, levels: Sequence[float]) -> RGBImage:
    """Draw anti-aliased lines where the heat has these levels.

    Lines end at the edge of the box.

    Args:
        image: uint8 (H, W, 3) RGB, changed in place.
        heat: (box height, box width), or less for the same box.
        box: where the heat lies.
        levels: each between 0 and 1.

    Returns:
        The image.
    """
    if not levels or min(heat.shape) < 2:  # contourpy takes no less
        return image
    generator = contour_generator(z=heat)
    found = [np.asarray(line) for level in levels for line in generator.lines(level)]
    lines = [_on_image(line, heat, box) for line in found]
    width, edge = line_widths(min(image.shape[:2]))
    for colour, wanted in ((_DARK, width + 2 * edge), (_BRIGHT, width)):
        thickness = max(wanted - 1, 1)  # OpenCV's smooth edges lie outside of it
        cv2.polylines(image, lines, False, colour, thickness, cv2.LINE_AA, _SHIFT)
    return image


def line_widths(side: int) -> tuple[int, int]:
    """The width of a line and of each of its dark edges in pixels; stage.js has the same.

    Args:
        side: the picture's shorter side in pixels.
    """
    width = max(round(side / SIDE_OF_ONE_PIXEL), 1)
    return width, max(round(0.6 * width), 1)


def _on_image(line: np.ndarray, heat: Heat, box: Box) -> np.ndarray:
    """Points (N, 2), x and y in samples of the heat, as OpenCV takes them."""
    left, top, right, bottom = box
    height, width = heat.shape
    sample = np.array([(right - left) / width, (bottom - top) / height])  # its size in pixels
    pixels = (line + 0.5) * sample - 0.5 + np.array([left, top])
    return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)
