"""Text for matplotlib: no mathematics, no warnings."""

from __future__ import annotations

import warnings

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.support.hostile import TEXTS
from video_cam.rendering.plot_text import boxes_for_missing_letters, plot_text


def test_names_are_no_mathematics_and_are_cut() -> None:
    assert plot_text("$x$\x07", 9) == r"\$x\$ "
    assert plot_text("abcdef", 4) == "abc…"


@pytest.mark.filterwarnings("error")
def test_every_hostile_name_can_be_drawn() -> None:
    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for text in TEXTS.values():
        axes.text(0, 0, plot_text(text, 30))
    with boxes_for_missing_letters():
        figure.canvas.draw()
    with boxes_for_missing_letters(), pytest.raises(UserWarning, match="another"):
        warnings.warn("another", stacklevel=1)
