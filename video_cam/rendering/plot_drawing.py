"""Draws plots with OpenCV and Pillow: a tenth of the time that matplotlib takes for a small one."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw

from video_cam.rendering.fonts import drawn_text, font, text_width
from video_cam.rendering.overlay import Box
from video_cam.rendering.plot import (
    Area,
    Bars,
    Curve,
    Level,
    Limits,
    Mark,
    Panel,
    Plot,
    Spans,
    ticks_between,
)
from video_cam.video.color import RGBImage

# Pixels.
_TEXT, _LEGEND_TEXT = 15, 14
_LEFT, _RIGHT, _BOTTOM, _TOP, _BETWEEN, _PANEL_HEIGHT = 104, 28, 72, 16, 38, 198
_TITLE_HEIGHT, _NOTE_HEIGHT, _ROOM_BELOW_NOTES = 22, 20, 19
_TICK, _BESIDE_TICK = 5, 9
_LEGEND_GAP, _LEGEND_LINE, _LEGEND_ROOM, _LEGEND_STEP = 18, 32, 8, 21
_SPAN_WIDTH = 2
_MIN_PLOT_SHARE = 0.2  # of the width, whatever room the legend needs
_NOTE_LETTERS = 130  # of a line, where they are not wider than usual
_VALUE_TICKS = 7
_BLACK, _GRID, _WARNINGS, _NOTES = "#000000", "#c8c8c8", "#b45309", "#565b66"
_SHIFT = 4  # bits of a pixel's fraction in OpenCV's coordinates
_KEPT_NAMES = 16
_FARTHEST = 1 << 20  # a coordinate's size, in pixels: OpenCV's are 32 bits


def draw_plot(plot: Plot) -> RGBImage:
    """The plot as uint8 (H, W, 3); a letter that the font lacks is a box."""
    layout = _Layout.of(plot)
    drawing = _Drawing(np.full((layout.height, plot.width, 3), 255, np.uint8))
    for number, (line, colour) in enumerate(layout.notes):
        y = 8 + number * _NOTE_HEIGHT
        drawing.text(plot.width / 2, y, line, colour=colour, anchor="ma")
    for panel, box in zip(plot.panels, layout.boxes, strict=True):
        _draw_panel(drawing, plot, panel, box)
    _draw_time(drawing, plot, layout.boxes[-1])
    return drawing.finished()


@dataclass(frozen=True)
class _Layout:
    """Where things lie, in pixels; notes are lines and their colours."""

    height: int
    boxes: tuple[Box, ...]
    notes: tuple[tuple[str, str], ...]

    @staticmethod
    def of(plot: Plot) -> _Layout:
        names = [name for panel in plot.panels for _, name in panel.legend]
        widest = max((text_width(name, _LEGEND_TEXT) for name in names), default=0)
        legend = _LEGEND_GAP + _LEGEND_LINE + _LEGEND_ROOM + widest if names else 0
        right = max(plot.width - _RIGHT - legend, _LEFT + _MIN_PLOT_SHARE * plot.width)
        notes = tuple(
            (line, colour)
            for text, colour in ((plot.warnings, _WARNINGS), (plot.notes, _NOTES))
            for line in _lines(text, plot.width - _RIGHT)
        )
        top = _TOP + (len(notes) * _NOTE_HEIGHT + _ROOM_BELOW_NOTES if notes else 0)
        top += _TITLE_HEIGHT if plot.panels[0].title else 0
        tops = [top + number * (_PANEL_HEIGHT + _BETWEEN) for number in range(len(plot.panels))]
        boxes = tuple((_LEFT, one, round(right), one + _PANEL_HEIGHT) for one in tops)
        return _Layout(boxes[-1][3] + _BOTTOM, boxes, notes)


def _lines(text: str, width: float) -> tuple[str, ...]:
    """The text in lines that are not wider than ``width`` pixels."""
    letters = _NOTE_LETTERS
    while letters > 1:
        lines = textwrap.wrap(text, letters)
        if all(text_width(line, _TEXT) <= width for line in lines):
            return tuple(lines)
        letters = letters * 3 // 4
    return tuple(lines)


@dataclass
class _Drawing:
    """A picture, and the texts that are written on it when everything else is drawn."""

    image: RGBImage
    # (x, y), text, size, colour, anchor
    texts: list[tuple[tuple[float, float], str, int, str, str]] = field(default_factory=list)
    turned: list[tuple[float, float, str]] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int = _TEXT,
        colour: str = _BLACK,
        anchor: str = "la",
    ) -> None:
        """Write text at (x, y); ``anchor`` as Pillow has it."""
        if text:
            self.texts.append(((x, y), text, size, colour, anchor))

    def text_upwards(self, x: float, y: float, text: str) -> None:
        """Write text from below upwards, with its middle at (x, y)."""
        self.turned.append((x, y, text))

    def finished(self) -> RGBImage:
        """The picture with its texts."""
        for (x, y), text, size, colour, anchor in self.texts:
            drawn = drawn_text(text, size, anchor, (math.modf(x)[0], math.modf(y)[0]))
            self._paint(drawn.opacity, int(x) + drawn.left, int(y) + drawn.top, colour)
        for x, y, text in self.turned:
            opacity = _turned(text)
            height, width = opacity.shape
            self._paint(opacity, round(x - width / 2), round(y - height / 2), _BLACK)
        return self.image

    def _paint(self, opacity: np.ndarray, left: int, top: int, colour: str) -> None:
        """Paint a colour through a mask, uint8 (H, W); what is outside the picture is cut off."""
        place = self.image[max(top, 0) : max(top + opacity.shape[0], 0)]
        place = place[:, max(left, 0) : max(left + opacity.shape[1], 0)]
        visible = opacity[max(-top, 0) :, max(-left, 0) :][: place.shape[0], : place.shape[1]]
        share = visible[:, :, None].astype(np.uint32)
        place[:] = (place * (255 - share) + np.array(_rgb(colour), np.uint32) * share + 127) // 255


@lru_cache(maxsize=_KEPT_NAMES)
def _turned(text: str) -> np.ndarray:
    """A panel's name from below upwards, as the opacity of its pixels, uint8 (H, W)."""
    left, top, right, bottom = font(_TEXT).getbbox(text)
    mask = Image.new("L", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font(_TEXT))
    return np.asarray(mask.transpose(Image.Transpose.ROTATE_90))


def _draw_panel(drawing: _Drawing, plot: Plot, panel: Panel, box: Box) -> None:
    left, top, right, bottom = box
    inside = drawing.image[top:bottom, left:right]
    scale = _Scale(plot.span, panel.limits, right - left, bottom - top)
    if panel.has_grid:
        for instant, _ in plot.ticks:
            _line(inside, scale, (instant, panel.limits[0]), (instant, panel.limits[1]), _GRID)
    for mark in panel.marks:
        _draw_mark(inside, scale, mark)
    cv2.rectangle(drawing.image, (left, top), (right - 1, bottom - 1), _rgb(_BLACK))
    for instant, _ in plot.ticks:
        x = left + round(scale.x(instant))
        cv2.line(drawing.image, (x, bottom), (x, bottom + _TICK - 1), _rgb(_BLACK))
    widest = _draw_values(drawing, panel, scale, box) if panel.has_values else 0.0
    beside = left - _BESIDE_TICK - widest - _TEXT
    drawing.text_upwards(max(beside, _TEXT / 2 + 2), (top + bottom) / 2, panel.name)
    drawing.text(left, top - 8, panel.title, anchor="ls")
    _draw_legend(drawing, panel, box)


def _draw_values(drawing: _Drawing, panel: Panel, scale: _Scale, box: Box) -> float:
    """Draw the ticks of the values; returns the width of the widest text in pixels."""
    left, top = box[:2]
    ticks = ticks_between(*panel.limits, _VALUE_TICKS)
    for value, text in ticks:
        y = top + round(scale.y(value))
        cv2.line(drawing.image, (left - _TICK, y), (left - 1, y), _rgb(_BLACK))
        drawing.text(left - _BESIDE_TICK, y, text, anchor="rm")
    return max((text_width(text, _TEXT) for _, text in ticks), default=0.0)


def _draw_legend(drawing: _Drawing, panel: Panel, box: Box) -> None:
    x = box[2] + _LEGEND_GAP
    top = (box[1] + box[3]) / 2 - (len(panel.legend) - 1) * _LEGEND_STEP / 2
    for number, (colour, name) in enumerate(panel.legend):
        y = round(top + number * _LEGEND_STEP)
        cv2.line(drawing.image, (x, y), (x + _LEGEND_LINE, y), _rgb(colour), _SPAN_WIDTH)
        drawing.text(x + _LEGEND_LINE + _LEGEND_ROOM, y, name, _LEGEND_TEXT, anchor="lm")


def _draw_time(drawing: _Drawing, plot: Plot, box: Box) -> None:
    """The texts of the axis of time, below the last panel."""
    left, _, right, bottom = box
    scale = _Scale(plot.span, (0, 1), right - left, 1)
    for instant, text in plot.ticks:
        drawing.text(left + scale.x(instant), bottom + _BESIDE_TICK, text, anchor="ma")
    y = bottom + (_BESIDE_TICK + 22 if plot.ticks else _BESIDE_TICK)
    drawing.text((left + right) / 2, y, plot.time_name, anchor="ma")


@dataclass(frozen=True)
class _Scale:
    """Times and values in pixels of a panel."""

    span: Limits
    limits: Limits
    width: int
    height: int

    def x(self, instant: float) -> float:
        """The distance from the left edge."""
        start, end = self.span
        return (instant - start) / (end - start) * (self.width - 1)

    def y(self, value: float) -> float:
        """The distance from the upper edge."""
        low, high = self.limits
        return (high - value) / (high - low) * (self.height - 1)

    def points(self, instants: np.ndarray, values: np.ndarray) -> np.ndarray:
        """int32 (N, 2), in OpenCV's fractions of a pixel."""
        (start, end), (low, high) = self.span, self.limits
        x = (instants - start) / (end - start) * (self.width - 1)
        pixels = np.stack([x, (high - values) / (high - low) * (self.height - 1)], -1)
        return np.rint(pixels.clip(-_FARTHEST, _FARTHEST) * (1 << _SHIFT)).astype(np.int32)


def _draw_mark(inside: RGBImage, scale: _Scale, mark: Mark) -> None:
    match mark:
        case Curve():
            points, colour = scale.points(mark.x, mark.y), _rgb(mark.colour)
            cv2.polylines(inside, [points], False, colour, mark.width, cv2.LINE_AA, _SHIFT)
            for point in points if mark.radius else ():
                centre = (int(point[0]), int(point[1]))
                cv2.circle(inside, centre, mark.radius << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
        case Area():
            x, y = np.append(mark.x, mark.x[::-1]), np.append(mark.low, mark.high[::-1])
            painted = inside.copy()
            cv2.fillPoly(painted, [scale.points(x, y)], _rgb(mark.colour), cv2.LINE_AA, _SHIFT)
            inside[:] = cv2.addWeighted(painted, mark.opacity, inside, 1 - mark.opacity, 0)
        case Bars():
            for bar, name in zip(_corners(scale, mark), mark.colours, strict=True):
                cv2.fillConvexPoly(inside, bar, _rgb(name), cv2.LINE_AA, _SHIFT)
        case Spans():
            for left, right, y in zip(mark.left, mark.right, mark.y, strict=True):
                _line(inside, scale, (left, y), (right, y), mark.colour, _SPAN_WIDTH)
        case Level():
            _line(inside, scale, (scale.span[0], mark.y), (scale.span[1], mark.y), mark.colour)


def _corners(scale: _Scale, bars: Bars) -> np.ndarray:
    """int32 (N, 4, 2), in OpenCV's fractions of a pixel."""
    zero = np.zeros_like(bars.height)
    x = np.stack([bars.left, bars.left, bars.right, bars.right], -1)
    corners = scale.points(x, np.stack([zero, bars.height, bars.height, zero], -1))
    # OpenCV also fills the pixels that an edge lies on, which would close the gaps between bars.
    inset = np.minimum(1 << _SHIFT >> 1, (corners[:, 3, 0] - corners[:, 0, 0]) // 2)[:, None]
    corners[:, :2, 0] += inset
    corners[:, 2:, 0] -= inset
    return corners


def _line(
    inside: RGBImage,
    scale: _Scale,
    start: Sequence[float],
    end: Sequence[float],
    colour: str,
    width: int = 1,
) -> None:
    points = scale.points(np.array([start[0], end[0]]), np.array([start[1], end[1]]))
    cv2.polylines(inside, [points], False, _rgb(colour), width, cv2.LINE_AA, _SHIFT)


def _rgb(colour: str) -> tuple[int, int, int]:
    """ "#rrggbb" as numbers."""
    value = int(colour[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255
