"""Pictures from heat: colour, blend, caption, stitch. OpenCV and NumPy; no files, no network.

Pictures are uint8 (H, W, 3) RGB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from video_cam.models.preprocessing import Frame
from video_cam.rendering.png import encode_png

Heat = np.ndarray  # float32 (H, W) in [0, 1]
Box = tuple[int, int, int, int]

COLORMAPS = {
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "plasma": cv2.COLORMAP_PLASMA,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
    "turbo": cv2.COLORMAP_TURBO,
    "jet": cv2.COLORMAP_JET,
    "hot": cv2.COLORMAP_HOT,
}
WARNING = (255, 190, 60)
_UNSEEN_BRIGHTNESS, _UNSEEN_GREY = 0.4, 64
_CAPTION_BRIGHTNESS = 0.35


class Palette:
    """A colour map and an opacity, as tables over the 256 levels of heat.

    The opacity of a pixel is ``alpha`` times its heat, so that cold places show the source as it
    is and hot places show the colour.
    """

    def __init__(self, colormap: str, alpha: float) -> None:
        levels = np.arange(256, dtype=np.uint8)[:, None]
        self._colours = cv2.cvtColor(
            cv2.applyColorMap(levels, COLORMAPS[colormap]), cv2.COLOR_BGR2RGB
        )
        opacity = (alpha * levels / 255.0)[:, :, None]
        self._premultiplied = np.rint(self._colours * opacity).astype(np.uint8)
        self._remaining = np.rint(255 * (1 - opacity)).astype(np.uint8).repeat(3, axis=2)

    def colour(self, heat: Heat) -> Frame:
        """The heat map by itself."""
        return cv2.applyColorMap(_levels(heat), self._colours)

    def blend(self, frame: Frame, heat: Heat) -> Frame:
        """The heat map over a frame; a smaller map is coloured first, then enlarged."""
        levels = _levels(heat)
        remaining = _enlarged(cv2.applyColorMap(levels, self._remaining), frame.shape)
        kept = cv2.multiply(frame, remaining, scale=1 / 255)
        return cv2.add(kept, _enlarged(cv2.applyColorMap(levels, self._premultiplied), frame.shape))


def overlay(frame: Frame, heat: Heat | None, box: Box, palette: Palette) -> Frame:
    """The frame with heat over the box the network saw; the rest, or all of it, as not seen.

    heat: (box height, box width) or smaller, or None where the network saw nothing at this
    instant.
    """
    if heat is None:
        return unseen(frame)
    if box == (0, 0, frame.shape[1], frame.shape[0]):
        return palette.blend(frame, heat)
    return _in_box(unseen(frame), box, lambda: palette.blend(crop(frame, box), heat))


def heat_map(frame: Frame, heat: Heat | None, box: Box, palette: Palette) -> Frame:
    """The colours alone, on grey where the network did not see: black is no heat."""
    grey = np.full_like(frame, _UNSEEN_GREY)
    if heat is None:
        return grey
    left, top, right, bottom = box
    size = (bottom - top, right - left)
    return _in_box(grey, box, lambda: _enlarged(palette.colour(heat), size))


def unseen(frame: Frame) -> Frame:
    """Grey and dark: what the network never saw."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    dark = cv2.convertScaleAbs(grey, alpha=_UNSEEN_BRIGHTNESS)
    return cv2.cvtColor(dark, cv2.COLOR_GRAY2RGB)


def stitch(panels: Sequence[Frame]) -> Frame:
    """Pictures of one size side by side."""
    return cv2.hconcat(list(panels))


def stack(rows: Sequence[Frame]) -> Frame:
    """Pictures of one width one below the other."""
    return cv2.vconcat(list(rows))


def crop(frame: Frame, box: Box) -> Frame:
    """The pixels of a box."""
    left, top, right, bottom = box
    return frame[top:bottom, left:right]


def fit(picture: Frame, longest: int) -> Frame:
    """Scaled down so that its longer side is at most ``longest`` pixels."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return picture
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def caption(
    picture: Frame, parts: Sequence[str], *, top: bool = False, colour: tuple[int, ...] = (255,) * 3
) -> None:
    """Write ``parts`` on a darkened strip at the bottom or top of ``picture``, in place.

    They stand on one line where they fit, else each on its own; what is too long even then is cut
    with an ellipsis, never shrunk below what can be read.
    """
    height, width = picture.shape[:2]
    mask = _text(tuple(parts), width, font_size(height))[:height]
    strip = picture[: len(mask)] if top else picture[height - len(mask) :]
    dark = cv2.convertScaleAbs(strip, alpha=_CAPTION_BRIGHTNESS)
    ink = cv2.merge([cv2.convertScaleAbs(mask, alpha=channel / 255) for channel in colour])
    strip[:] = np.maximum(dark, ink)


def save_picture(path: Path, picture: Frame) -> None:
    """Write an RGB picture in the format of the path's ending. Raises OSError where it cannot."""
    path.write_bytes(
        encode_png(picture) if path.suffix == ".png" else _encode(path.suffix, picture)
    )


def _encode(suffix: str, picture: Frame) -> bytes:
    ok, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not ok:
        raise OSError(f"{suffix} cannot hold a picture of {picture.shape}")
    return data.tobytes()


def font_size(height: int) -> int:
    """Pixels: a twentieth of the picture, and at least what can be read."""
    return min(max(height // 20, 10), 40)


@lru_cache(maxsize=64)
def _text(parts: tuple[str, ...], width: int, size: int) -> Frame:
    """White text on black, uint8 (lines, width), as high as its lines need."""
    font = _font(size)
    margin, line_height = max(size // 3, 2), round(size * 1.35)
    room = width - 2 * margin
    one_line = "   ".join(parts)
    lines = [one_line] if font.getlength(one_line) <= room else list(parts)
    image = Image.new("L", (width, line_height * len(lines) + margin // 2))
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        position = (margin, number * line_height + margin // 2)
        draw.text(position, _cut(line, font, room), fill=255, font=font)
    return np.asarray(image)


def _cut(line: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    if font.getlength(line) <= room:
        return line
    while line and font.getlength(f"{line}…") > room:
        line = line[:-1]
    return f"{line}…"


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Matplotlib brings a font with most of Unicode's alphabets; OpenCV's own know ASCII only.
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def _levels(heat: Heat) -> Frame:
    return cv2.convertScaleAbs(heat, alpha=255)


def _enlarged(picture: Frame, size: Sequence[int]) -> Frame:
    """The picture at (height, width, ...)."""
    if picture.shape[:2] == tuple(size[:2]):
        return picture
    return cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def _in_box(outside: Frame, box: Box, inside: Callable[[], Frame]) -> Frame:
    left, top, right, bottom = box
    if right > left and bottom > top:
        outside[top:bottom, left:right] = inside()
    return outside
