"""Captions: text on a darkened strip of a video's picture, or below a picture."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from video_cam.rendering.fonts import GAP, DrawnText, drawn_parts, text_width
from video_cam.utils.text import ELLIPSIS, for_picture
from video_cam.video.color import RGBImage

WHITE, AMBER = (255, 255, 255), (255, 190, 60)
_STRIP_BRIGHTNESS = 0.35
SMALL_HEIGHT = 200  # pixels; on lower images every line of text hides much
MAX_HIDDEN_SHARE = 0.25  # of an image's height
MAX_ASPECT = 4.0  # of pixels, up to which text is drawn without distortion
MAX_PART_LETTERS = 1000  # of a caption's part; more are on no screen
_MIN_FONT_SIZE, _MAX_FONT_SIZE = 10, 40  # pixels


class Caption(NamedTuple):
    """What is written of an overlay.

    Attributes:
        parts: texts of any characters and length; none for no caption.
        warning: a further line in amber, on the opposite side; empty for none.
        at_top: where the strip lies on the picture, if it lies on it.
    """

    parts: tuple[str, ...] = ()
    warning: str = ""
    at_top: bool = False


def draw_caption(
    image: RGBImage,
    parts: Sequence[str],
    *,
    top: bool = False,
    colour: tuple[int, ...] = WHITE,
    pixel_aspect: float = 1.0,
) -> None:
    """Write text on a darkened strip at the bottom or top of an image, in place.

    Args:
        image: uint8 (H, W, 3) RGB, changed in place.
        parts: texts of any characters and length, put on one line if they fit, else each on a line
            of its own, but on one line where the lines would hide too much of the image. What is
            too long even then is cut with an ellipsis; the font is never made smaller.
        top: at the top, not the bottom.
        colour: of the text, RGB.
        pixel_aspect: width of a pixel divided by its height, where the image is shown.
    """
    height, width = image.shape[:2]
    size = font_size(height)
    lines = _Lines.of(parts, width, size, pixel_aspect)
    if lines.height > MAX_HIDDEN_SHARE * height:
        lines = _Lines.of([GAP.join(parts)], width, size, pixel_aspect)
    mask = lines.mask()[:height]
    strip = image[: len(mask)] if top else image[height - len(mask) :]
    dark = cv2.convertScaleAbs(strip, alpha=_STRIP_BRIGHTNESS)
    strip[:] = np.maximum(dark, _coloured(mask, colour))


def draw_captions(image: RGBImage, caption: Caption, pixel_aspect: float = 1.0) -> None:
    """Write a caption and its warning on an image, in place; see ``draw_caption``."""
    draw_caption(image, caption.parts, top=caption.at_top, pixel_aspect=pixel_aspect)
    if caption.warning:
        draw_caption(
            image,
            [caption.warning],
            top=not caption.at_top,
            colour=AMBER,
            pixel_aspect=pixel_aspect,
        )


def captioned(image: RGBImage, caption: Caption, size: int | None = None) -> RGBImage:
    """The image with its caption and the warning below it, on black.

    Args:
        image: uint8 (H, W, 3) RGB with square pixels; stays as it is.
        caption: the text.
        size: of the font in pixels; None for that of ``font_size``.
    """
    if not caption.parts:
        return image
    width, size = image.shape[1], size or font_size(image.shape[0])
    lines = [_coloured(_Lines.of(caption.parts, width, size).mask(), WHITE)]
    if caption.warning:
        lines.append(_coloured(_Lines.of([caption.warning], width, size).mask(), AMBER))
    return cv2.vconcat([image, *lines])


def hides_much(parts: Sequence[str], width: int, height: int) -> bool:
    """Whether a caption on an image of this size can hide what the image shows."""
    lines = _Lines.of(parts, width, font_size(height)).height
    return height < SMALL_HEIGHT or lines > MAX_HIDDEN_SHARE * height


def font_size(height: int) -> int:
    """The font size in pixels for an image of this height: a twentieth of it, 10 to 40."""
    return min(max(height // 20, _MIN_FONT_SIZE), _MAX_FONT_SIZE)


class _Lines(NamedTuple):
    """The lines of a caption, before they are drawn.

    Attributes:
        texts: one for each line.
        size: of the font in pixels.
        width: of the picture in pixels.
        shown_width: in pixels of the same height as width, where the picture is shown.
    """

    texts: tuple[str, ...]
    size: int
    width: int
    shown_width: int

    @classmethod
    def of(cls, parts: Sequence[str], width: int, size: int, pixel_aspect: float = 1.0) -> _Lines:
        """The parts on one line if they fit, else each on a line of its own."""
        drawn = tuple(for_picture(part, MAX_PART_LETTERS) for part in parts)
        aspect = min(max(pixel_aspect, 1 / MAX_ASPECT), MAX_ASPECT)
        shown_width = max(round(width * aspect), 1)
        one_line = GAP.join(drawn)
        fits = text_width(one_line, size) <= shown_width - 2 * _margin(size)
        return cls((one_line,) if fits else drawn, size, width, shown_width)

    @property
    def height(self) -> int:
        """Of all lines in pixels."""
        return self._line_height * len(self.texts) + _margin(self.size) // 2

    @property
    def _line_height(self) -> int:
        return round(self.size * 1.35)

    def mask(self) -> np.ndarray:
        """White text on black, uint8 (height, width), not distorted where it is shown."""
        mask = np.zeros((self.height, self.shown_width), np.uint8)
        margin = _margin(self.size)
        for number, line in enumerate(self.texts):
            shown = _shortened(line, self.size, self.shown_width - 2 * margin)
            y = number * self._line_height + margin // 2
            for x, text in drawn_parts(shown, self.size):
                _draw(mask, text, margin + x, y)
        if self.shown_width == self.width:
            return mask
        return cv2.resize(mask, (self.width, len(mask)), interpolation=cv2.INTER_AREA)


def _margin(size: int) -> int:
    """Of the text to the edges, in pixels."""
    return max(size // 3, 2)


def _draw(mask: np.ndarray, text: DrawnText, x: int, y: int) -> None:
    """Write a text with its anchor at (x, y), in place; what is outside is cut off."""
    left, top = x + text.left, y + text.top
    place = mask[max(top, 0) : max(top + text.opacity.shape[0], 0)]
    place = place[:, max(left, 0) : max(left + text.opacity.shape[1], 0)]
    visible = text.opacity[max(-top, 0) :, max(-left, 0) :][: place.shape[0], : place.shape[1]]
    np.maximum(place, visible, out=place)


def _coloured(mask: np.ndarray, colour: tuple[int, ...]) -> RGBImage:
    return cv2.merge([cv2.convertScaleAbs(mask, alpha=channel / 255) for channel in colour])


def _shortened(line: str, size: int, room: float) -> str:
    """The line, cut with an ellipsis where it is longer than ``room`` pixels."""
    if text_width(line, size) <= room:
        return line
    # The longest start that fits, or just short of it where a longer text is not a wider one.
    lengths = range(len(line))
    kept = bisect_right(lengths, room, key=lambda n: text_width(line[:n] + ELLIPSIS, size)) - 1
    return line[: max(kept, 0)] + ELLIPSIS
