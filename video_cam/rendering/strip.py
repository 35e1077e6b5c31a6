"""The matplotlib figure of rows of images, with their names, times and a colour bar."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from video_cam.errors import UsageError
from video_cam.rendering.figure_layout import MARGIN, Columns, Rectangle
from video_cam.rendering.overlay import Palette
from video_cam.rendering.plot_text import boxes_for_missing_letters
from video_cam.utils.files import atomic_write
from video_cam.video.color import RGBImage

SCREEN_DOTS_PER_INCH = 200
PAPER_DOTS_PER_INCH = 300
_FONT_SIZE = 7  # points
_POINTS_PER_INCH = 72
_LINE_HEIGHT = 1.25 * _FONT_SIZE / _POINTS_PER_INCH
_MAX_NAME_WIDTH = 1.0  # inches
_BACKDROP = 128  # grey on which the colour bar is drawn


@dataclass(frozen=True)
class Rows:
    """The images of a figure and what stands beside them.

    Attributes:
        names: of the rows; each line is a part of the name.
        images: for each row one for each column, uint8 (H, W, 3), all of one size.
        times: texts above the columns.
        pixel_aspect: width of the images' pixels divided by their height.
        scale: a sentence on what the colour bar shows.
        warning: a line above everything; empty for none.
    """

    names: Sequence[str]
    images: Sequence[Sequence[RGBImage]]
    times: Sequence[str]
    pixel_aspect: float
    scale: str
    warning: str = ""


class Strip(Figure):
    """A matplotlib figure that a notebook displays by itself."""

    def _repr_jpeg_(self) -> bytes:
        # A fifth of the size of a PNG, and the notebook's file keeps it.
        buffer = BytesIO()
        with boxes_for_missing_letters():
            self.savefig(buffer, format="jpeg", dpi=SCREEN_DOTS_PER_INCH)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Write a .pdf, .png or .svg file, whole or not at all.

        Fonts of a PDF are embedded as Type 42 (TrueType); text in an SVG is text, with the font's
        name.

        Raises:
            UsageError: for another extension, or a folder that does not exist.
        """
        kind = path.suffix[1:].lower()
        if kind not in self.canvas.get_supported_filetypes():
            raise UsageError(f"{path.name!r} is no picture: end it in .pdf, .png or .svg")
        if not path.parent.is_dir():
            raise UsageError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
        with _fonts_kept(), boxes_for_missing_letters(), atomic_write(path) as file:
            self.savefig(file, format=kind, dpi=PAPER_DOTS_PER_INCH)

    def pixels(self) -> np.ndarray:
        """uint8 (H, W, 3) RGB."""
        canvas = FigureCanvasAgg(self)
        with boxes_for_missing_letters():
            canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def strip_of(rows: Rows, palette: Palette) -> Strip:
    """Draw rows of images.

    Args:
        rows: at least one, with at least one image each.
        palette: with which the heat was drawn; of it is the colour bar.
    """
    height, width = rows.images[0][0].shape[:2]
    names = [_wrapped(name, _MAX_NAME_WIDTH) for name in rows.names]
    columns = Columns(
        len(rows.times),
        width * rows.pixel_aspect / height,
        max(_text_width(line) for name in names for line in name.split("\n")),
        max(map(_text_width, rows.times)),
    )
    scale = _wrapped(rows.scale, columns.width - 2 * MARGIN)
    warning = _wrapped(rows.warning, columns.width - 2 * MARGIN)
    above = _text_height(warning) + 1.2 * _LINE_HEIGHT
    layout = columns.rows([_text_height(name) for name in names], above, _text_height(scale))
    strip = Strip(figsize=(layout.width, layout.height), dpi=SCREEN_DOTS_PER_INCH)
    FigureCanvasAgg(strip)
    for line, rectangles in zip(rows.images, layout.images, strict=True):
        for image, rectangle in zip(line, rectangles, strict=True):
            axes = strip.add_axes(layout.share(rectangle), xticks=[], yticks=[])
            axes.imshow(image, aspect="auto")  # the rectangle has the shape in which it is shown
            axes.spines[:].set_visible(False)
    for axes, text in zip(strip.axes, rows.times, strict=False):  # those of the first row
        axes.set_title(text, fontsize=_FONT_SIZE, pad=2)
    for number, name in enumerate(names):
        strip.text(*layout.name_end(number), name, va="center", ha="right", size=_FONT_SIZE)
    edge = MARGIN / layout.height
    strip.text(0.5, edge, scale, va="bottom", ha="center", size=_FONT_SIZE)
    strip.text(0.5, 1 - edge, warning, color="darkorange", va="top", ha="center", size=_FONT_SIZE)
    _add_colour_bar(strip, layout.share(layout.bar), palette)
    return strip


def _add_colour_bar(strip: Strip, place: Rectangle, palette: Palette) -> None:
    """Show which colour is which heat, and the levels of contour lines."""
    colours = ListedColormap(bar_colours(palette) / 255)
    bar = strip.colorbar(ScalarMappable(cmap=colours), cax=strip.add_axes(place))
    bar.set_label("heat", fontsize=_FONT_SIZE)
    bar.ax.tick_params(labelsize=_FONT_SIZE)
    for level in palette.contours:
        for colour, thickness in (("black", 1.6), ("white", 0.6)):
            bar.ax.axhline(level, color=colour, linewidth=thickness)


def bar_colours(palette: Palette) -> np.ndarray:
    """uint8 (256, 3) RGB: heat from 0 to 1, drawn over grey as it is drawn over a picture."""
    grey = np.full((256, 1, 3), _BACKDROP, np.uint8)
    heat = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    return palette.blend(grey, heat)[:, 0]


@contextmanager
def _fonts_kept() -> Iterator[None]:
    """While a figure is saved: its text can be read, searched and edited in the file.

    Journals refuse Type 3 fonts, matplotlib's default.
    """
    with matplotlib.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}):
        yield


def _wrapped(text: str, width: float) -> str:
    """The text with each of its lines in as many as are needed, none wider than ``width``."""
    return "\n".join(line for part in text.split("\n") for line in _lines(part, width))


def _lines(text: str, width: float) -> list[str]:
    for letters in range(len(text), 1, -1):
        lines = textwrap.wrap(text, letters)
        if all(_text_width(line) <= width for line in lines):
            return lines
    return list(text)


def _text_height(text: str) -> float:
    """In inches; 0 without text."""
    return _LINE_HEIGHT * (text.count("\n") + 1) if text else 0.0


def _text_width(text: str) -> float:
    """In inches, in the font of the figure."""
    with boxes_for_missing_letters():
        width, _, _ = TextToPath().get_text_width_height_descent(
            text, FontProperties(size=_FONT_SIZE), ismath=False
        )
    return float(width) / _POINTS_PER_INCH
