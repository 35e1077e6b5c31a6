"""Plots as pictures: where marks and texts lie, what is cut, and the ticks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.plots import panel_edges
from video_cam.rendering.plot import (
    Area,
    Bars,
    Curve,
    Level,
    Panel,
    Plot,
    Spans,
    ticks_between,
    with_room,
)
from video_cam.rendering.plot_drawing import draw_plot

RED, GREEN, BLUE, WHITE = "#ff0000", "#00ff00", "#0000ff", (255, 255, 255)
TOP, HEIGHT = 16, 198  # of the first panel
WIDTH = 600


def plot_of(*marks: object, **fields: object) -> Plot:
    """One panel from 0 to 10 seconds and from 0 to 1."""
    panel = Panel("value", marks, (0.0, 1.0))
    return replace(Plot((panel,), "seconds", (0.0, 10.0), (), "", "", WIDTH), **fields)


def pixel(picture: np.ndarray, instant: float, value: float) -> tuple[int, ...]:
    left, right = panel_edges(picture)
    x, y = left + instant / 10 * (right - left), TOP + (1 - value) * (HEIGHT - 1)
    return tuple(map(int, picture[round(y), round(x)]))


def test_every_mark_lies_at_its_time_and_value() -> None:
    x = np.array([2.0, 4.0])
    marks = (
        Area(x, np.array([0.1, 0.1]), np.array([0.3, 0.3]), RED),
        Bars(np.array([5.0]), np.array([6.0]), np.array([0.5]), (GREEN,)),
        Spans(np.array([7.0]), np.array([9.0]), np.array([0.8]), BLUE),
        Curve(x, np.array([0.6, 0.8]), GREEN, radius=4),
        Level(0.9, RED),
    )
    picture = draw_plot(plot_of(*marks))
    assert pixel(picture, 3, 0.2) == (255, 0, 0) and pixel(picture, 3, 0.4) == WHITE
    assert pixel(picture, 5.5, 0.4) == (0, 255, 0) and pixel(picture, 5.5, 0.6) == WHITE
    assert pixel(picture, 4.8, 0.4) == pixel(picture, 6.2, 0.4) == WHITE
    assert pixel(picture, 8, 0.8) == (0, 0, 255) and pixel(picture, 9.5, 0.8) == WHITE
    assert pixel(picture, 4, 0.8) == (0, 255, 0) and pixel(picture, 3, 0.7)[0] < 255
    assert pixel(picture, 0.5, 0.9)[1] < 255 and pixel(picture, 9.5, 0.9)[1] < 255


def test_an_area_can_be_seen_through() -> None:
    area = Area(np.array([0.0, 10.0]), np.zeros(2), np.ones(2), BLUE, opacity=0.25)
    red, green, blue = pixel(draw_plot(plot_of(area)), 5, 0.5)
    assert (red, blue) == (green, 255) and red == pytest.approx(191, abs=1)


def test_many_narrow_bars_keep_their_gaps() -> None:
    left = np.arange(100) / 10
    bars = Bars(left, left + 0.09, np.ones(100), (RED,) * 100)
    picture = draw_plot(plot_of(bars, width=1600))
    row = picture[TOP + 100, 104 : panel_edges(picture)[1]]
    assert np.count_nonzero(np.diff(row[:, 1].astype(int) > 100)) >= 190


@pytest.mark.parametrize("name", ["a class", "many words that take more room than there is " * 3])
def test_a_legend_takes_its_room_and_leaves_a_fifth(name: str) -> None:
    plot = plot_of()
    with_legend = replace(plot, panels=(replace(plot.panels[0], legend=((RED, name),)),))
    left, right = panel_edges(draw_plot(with_legend))
    assert 0.2 * WIDTH - 1 <= right - left < panel_edges(draw_plot(plot))[1] - left


def test_notes_are_wrapped_to_the_width_whatever_their_letters() -> None:
    plain, noted = draw_plot(plot_of()), draw_plot(plot_of(notes="note " * 40))
    wide = draw_plot(plot_of(notes="W" * 200))
    assert len(plain) < len(noted) and len(plain) < len(wide)
    for picture in (noted, wide):
        assert (picture[:40, :4] == 255).all() and (picture[:40, -4:] == 255).all()
        assert (picture[:40] != 255).any()


def test_warnings_come_before_notes_and_have_a_colour() -> None:
    plain, both = draw_plot(plot_of()), draw_plot(plot_of(warnings="a warning", notes="a note"))
    colourful = np.ptp(both[: len(both) - len(plain)].astype(int), axis=2).max(1)
    assert colourful[:24].max() > 100 > 30 > colourful[30:48].max()


def test_a_title_of_the_first_panel_has_room() -> None:
    plot = plot_of()
    titled = replace(plot, panels=(replace(plot.panels[0], title="a title"),))
    picture = draw_plot(titled)
    assert (picture[:4] == 255).all() and (picture[8:34, 104:160] < 128).any()


@pytest.mark.parametrize(
    ("low", "high", "most", "texts"),
    [
        (-0.03, 1.03, 7, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 2.02, 10, ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25", "1.50", "1.75", "2.00"]),
        (-20.5, 11, 7, ["-20", "-15", "-10", "-5", "0", "5", "10"][::2]),
        (0, 4.5e-7, 5, ["0", "2e-07", "4e-07"]),
        (0, 3e6, 4, ["0", "1e+06", "2e+06", "3e+06"]),
    ],
)
def test_ticks(low: float, high: float, most: int, texts: list[str]) -> None:
    ticks = ticks_between(low, high, most)
    assert [text for _, text in ticks] == texts and len(ticks) <= most
    assert all(float(text) == pytest.approx(value, abs=1e-12) for value, text in ticks)


@pytest.mark.parametrize(
    ("values", "limits"),
    [((0, 2), (0, 2.1)), ((-2, 0), (-2.1, 0)), ((1, 2), (0.95, 2.05)), ((0, 0), (-1, 1))],
)
def test_limits_leave_room_but_not_beyond_zero(values, limits) -> None:
    assert with_room(*values) == pytest.approx(limits)
