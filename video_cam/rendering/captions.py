"""Captions: text on a darkened strip of an image."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from video_cam.utils.text import ELLIPSIS, for_picture
from video_cam.video.color import RGBImage

WHITE, AMBER = (255, 255, 255), (255, 190, 60)
_STRIP_BRIGHTNESS = 0.35
MAX_PART_LETTERS = 1000  # of a caption's part; more are on no screen
_MIN_FONT_SIZE, _MAX_FONT_SIZE = 10, 40  # pixels


def draw_caption(
    image: RGBImage, parts: Sequence[str], *, top: bool = False, colour: tuple[int, ...] = WHITE
) -> None:
    """Write text on a darkened strip at the bottom or top of an image, in place.

    Args:
        image: uint8 (H, W, 3) RGB, changed in place.
        parts: texts of any characters and length, put on one line if they fit, else each on a line
            of its own. What is too long even then is cut with an ellipsis; the font is never made
            smaller.
        top: at the top, not the bottom.
        colour: of the text, RGB.
    """
    height, width = image.shape[:2]
    drawn = tuple(for_picture(part, MAX_PART_LETTERS) for part in parts)
    mask = _text_mask(drawn, width, font_size(height))[:height]
    strip = image[: len(mask)] if top else image[height - len(mask) :]
    dark = cv2.convertScaleAbs(strip, alpha=_STRIP_BRIGHTNESS)
    text = cv2.merge([cv2.convertScaleAbs(mask, alpha=channel / 255) for channel in colour])
    strip[:] = np.maximum(dark, text)


def font_size(height: int) -> int:
    """The font size in pixels for an image of this height: a twentieth of it, 10 to 40."""
    return min(max(height // 20, _MIN_FONT_SIZE), _MAX_FONT_SIZE)


@lru_cache(maxsize=64)
def _text_mask(parts: tuple[str, ...], width: int, size: int) -> np.ndarray:
    """White text on black, uint8 (height of its lines, width)."""
    font = _font(size)
    margin, line_height = max(size // 3, 2), round(size * 1.35)
    room = width - 2 * margin
    one_line = "   ".join(parts)
    lines = [one_line] if font.getlength(one_line) <= room else list(parts)
    image = Image.new("L", (width, line_height * len(lines) + margin // 2))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        position = (margin, number * line_height + margin // 2)
        draw.text(position, _shortened(line, font, room), fill=255, font=font)
    return np.asarray(image)


def _shortened(line: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    """The line, cut with an ellipsis where it is longer than ``room`` pixels."""
    if font.getlength(line) <= room:
        return line
    # The longest start that fits, or just short of it where a longer text is not a wider one.
    lengths = range(len(line))
    kept = bisect_right(lengths, room, key=lambda n: font.getlength(line[:n] + ELLIPSIS)) - 1
    return line[: max(kept, 0)] + ELLIPSIS


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Matplotlib's font has most alphabets of Unicode; OpenCV's fonts have ASCII only.
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)
