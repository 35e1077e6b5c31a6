"""The font of captions and plots, and texts drawn with it, which are kept to be drawn again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = "   "  # between the parts of a line
_IN_MATPLOTLIB = "mpl-data/fonts/ttf"
# A clip's frames differ in one part of their captions, and the plots of clips in their curves.
_KEPT_TEXTS, _KEPT_WIDTHS = 256, 2048


@lru_cache(maxsize=16)
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which has most alphabets of Unicode, in ``size`` pixels."""
    return ImageFont.truetype(str(_font_folder() / "DejaVuSans.ttf"), size)


@lru_cache(maxsize=_KEPT_WIDTHS)
def text_width(text: str, size: int) -> float:
    """How wide a text of one line is, in pixels."""
    return font(size).getlength(text)


class DrawnText(NamedTuple):
    """A text of one line, as a picture.

    Attributes:
        opacity: uint8 (H, W), read only; as small as the text is.
        left, top: where its upper left pixel lies, in pixels from the text's anchor.
    """

    opacity: np.ndarray
    left: int
    top: int


@lru_cache(maxsize=_KEPT_TEXTS)
def drawn_text(
    text: str, size: int, anchor: str = "la", fraction: tuple[float, float] = (0.0, 0.0)
) -> DrawnText:
    """A text of one line, drawn.

    Args:
        text: without line ends.
        size: of the font in pixels.
        anchor: which point of the text is the anchor, as Pillow has it.
        fraction: how far the anchor is to the right and below of a pixel's corner, from 0 to 1.
    """
    # Beside the anchor there is room for text on either side of it, and for letters' overhang.
    x, y = math.ceil(text_width(text, size)) + size, 2 * size
    image = Image.new("L", (2 * x, 2 * y))
    position = (x + fraction[0], y + fraction[1])
    ImageDraw.Draw(image).text(position, text, fill=255, font=font(size), anchor=anchor)
    pixels = np.asarray(image)
    left, top, width, height = cv2.boundingRect(pixels)
    opacity = pixels[top : top + height, left : left + width].copy()
    opacity.setflags(write=False)
    return DrawnText(opacity, left - x, top - y)


def drawn_parts(text: str, size: int) -> Iterator[tuple[int, DrawnText]]:
    """The parts of a line between GAPs, drawn, each with its distance from the line's start.

    Drawn apart, parts of ASCII have the same pixels as in one piece, and a part that stays from
    frame to frame is drawn once. Other letters may change with what is beside them.

    Args:
        text: without line ends.
        size: of the font in pixels.
    """
    parts = text.split(GAP) if text.isascii() else [text]
    start = 0.0
    for number, part in enumerate(parts, 1):
        fraction, whole = math.modf(start)
        yield int(whole), drawn_text(part, size, fraction=(fraction, 0.0))
        if number < len(parts):
            start += text_width(part + GAP, size)


def _font_folder() -> Path:
    """Where matplotlib keeps its fonts; found without importing it, which takes long."""
    spec = find_spec("matplotlib")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        if (Path(folder) / _IN_MATPLOTLIB).is_dir():
            return Path(folder) / _IN_MATPLOTLIB
    import matplotlib  # some Linux distributions keep its data elsewhere

    return Path(matplotlib.get_data_path()) / "fonts/ttf"
