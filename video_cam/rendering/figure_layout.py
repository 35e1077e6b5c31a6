"""Where the parts of a figure for papers lie, in inches: names, images, times, colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Rectangle = tuple[float, float, float, float]  # left, bottom, width, height

# All in inches.
MAX_WIDTH = 7.2  # two columns of a journal; text then has the size that it says
MAX_IMAGE_HEIGHT = 1.2
MARGIN, _GAP, _BESIDE_TEXT, _ABOVE_TEXT = 0.04, 0.04, 0.06, 0.1
_BAR_WIDTH, _BAR_TEXT_WIDTH, _MIN_BAR_HEIGHT = 0.12, 0.42, 0.8


@dataclass(frozen=True)
class FigureLayout:
    """The rectangles of a figure's parts; the origin is its lower left corner.

    Attributes:
        width, height: of the whole figure.
        images: for each row, the rectangles of its images.
        bar: of the colour bar.
    """

    width: float
    height: float
    images: tuple[tuple[Rectangle, ...], ...]
    bar: Rectangle

    def share(self, rectangle: Rectangle) -> Rectangle:
        """A rectangle as shares of the figure's width and height."""
        left, bottom, width, height = rectangle
        return left / self.width, bottom / self.height, width / self.width, height / self.height

    def name_end(self, row: int) -> tuple[float, float]:
        """Where the name of a row ends, as shares: its right edge, the middle of its height."""
        left, bottom, _, height = self.images[row][0]
        return (left - _BESIDE_TEXT) / self.width, (bottom + height / 2) / self.height


@dataclass(frozen=True)
class Columns:
    """What lies beside each other: names, columns of images, the colour bar.

    Images are as large as MAX_WIDTH and MAX_IMAGE_HEIGHT allow. A column is as wide as the text
    above it, so that texts do not overlap; the figure is wider than MAX_WIDTH where it has to be.

    Attributes:
        count: images in a row.
        aspect: width of an image divided by its height, as it is shown.
        name_width: of the widest name of a row.
        time_width: of the widest text above a column.
    """

    count: int
    aspect: float
    name_width: float
    time_width: float

    @property
    def left(self) -> float:
        """Where the first column begins."""
        return MARGIN + self.name_width + _BESIDE_TEXT

    @property
    def column(self) -> float:
        """From the start of one column to that of the next."""
        room = (MAX_WIDTH - self.left - _BAR_WIDTH - _BAR_TEXT_WIDTH) / self.count - _GAP
        largest = MAX_IMAGE_HEIGHT * self.aspect
        return max(min(largest, room), self.time_width + _BESIDE_TEXT) + _GAP

    @property
    def image_width(self) -> float:
        """Of every image."""
        return min(self.column - _GAP, MAX_IMAGE_HEIGHT * self.aspect)

    @property
    def bar_left(self) -> float:
        """Where the colour bar begins."""
        return self.left + self.count * self.column

    @property
    def width(self) -> float:
        """Of the whole figure."""
        return self.bar_left + _BAR_WIDTH + _BAR_TEXT_WIDTH

    def rows(self, name_heights: Sequence[float], above: float, below: float) -> FigureLayout:
        """The layout of a figure with these columns.

        Args:
            name_heights: of each row's name; a row is as high.
            above: the height of all text above the first row.
            below: of all text below the last row.
        """
        width, height = self.image_width, self.image_width / self.aspect
        heights = [max(height, name) + _GAP for name in name_heights]
        bar_height = max(sum(heights) - _GAP, _MIN_BAR_HEIGHT)
        top = MARGIN + below + _ABOVE_TEXT + bar_height
        bar = (self.bar_left, top - bar_height, _BAR_WIDTH, bar_height)
        total = top + above + MARGIN
        shift = self.left + (self.column - _GAP - width) / 2
        images = []
        for row in heights:
            bottom = top - (row - _GAP + height) / 2
            starts = [shift + i * self.column for i in range(self.count)]
            images.append(tuple((start, bottom, width, height) for start in starts))
            top -= row
        return FigureLayout(self.width, total, tuple(images), bar)
