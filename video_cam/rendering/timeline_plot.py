"""timeline.png: class scores, map mass and, where maps are complete, each frame's contribution."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from video_cam.explanation.contributions import frame_contributions
from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMaps, seconds_of
from video_cam.rendering.explained_targets import (
    MapTarget,
    labels_of_targets,
    shown_targets,
)
from video_cam.rendering.plot_text import boxes_for_missing_letters, legend_text, plot_text

NUM_CLASSES = 5
MAX_NAME_LETTERS = 60
MAX_NOTES_LETTERS = 2000
MIN_PLOT_WIDTH = 0.2  # of the figure, whatever room the legend needs
DOTS_PER_INCH = 110
# Inches. Margins are fixed: matplotlib needs as long to find them as to draw the plot.
_WIDTH, _PANEL_HEIGHT = 10.0, 1.8
_LEFT, _RIGHT, _BOTTOM, _TOP, _BETWEEN = 0.85, 0.25, 0.65, 0.15, 0.35
_NOTE_HEIGHT, _NOTE_LETTERS = 0.18, 130  # of a line of the notes


def draw_timeline(path: Path, maps: BlendedMaps) -> None:
    """Write ``timeline_figure`` as a PNG."""
    with boxes_for_missing_letters():
        timeline_figure(maps).savefig(path, dpi=DOTS_PER_INCH)


def timeline_figure(maps: BlendedMaps) -> Figure:
    """Panels of each window's class scores and of each target's map mass at every frame.

    Of each target the map of the first layer and method is drawn, so that units are not mixed.
    Where the maps account for the whole logit, a third panel shows what each frame adds to it.
    """
    explanation = maps.explanation
    is_complete = explanation.maps[0].bias is not None
    figure = Figure()
    FigureCanvasAgg(figure)
    scores, masses, *more = figure.subplots(3 if is_complete else 2, 1, sharex=True)
    _draw_scores(scores, explanation)
    _draw_masses(masses, maps)
    for panel in more:
        _draw_contributions(panel, explanation)
    figure.axes[-1].set_xlabel("seconds", fontsize=10)
    if explanation.timeline.num_frames == 1:
        figure.axes[-1].set(xlabel="one frame", xlim=(-1, 1), xticks=[])
    _lay_out(figure, plot_text("; ".join(explanation.notes), MAX_NOTES_LETTERS))
    return figure


def _draw_scores(panel: Axes, explanation: Explanation) -> None:
    """The scores of the targets with maps and of the best other classes."""
    windows = explanation.sample_seconds
    for target in _drawn_targets(explanation):
        label = legend_text(explanation.label(target), MAX_NAME_LETTERS)
        frames = _scores_of_frames(explanation, target)
        if frames:
            instants = seconds_of(explanation, list(frames))
            panel.plot(instants, list(frames.values()), marker="o", markersize=3, label=label)
            continue
        # A window's score stands at its middle, with a bar as long as the window.
        panel.errorbar(
            (windows[:, 0] + windows[:, -1]) / 2,
            explanation.class_scores(target),
            xerr=(windows[:, -1] - windows[:, 0]) / 2,
            marker="o",
            markersize=4,
            linewidth=1.5,
            elinewidth=0.5,
            label=label,
        )
    are_probabilities = explanation.model.score != "raw" and not explanation.functions
    panel.set(ylabel="class probability" if are_probabilities else "score")
    if are_probabilities:
        panel.set_ylim(-0.03, 1.03)
    _add_legend(panel)


def _draw_masses(panel: Axes, maps: BlendedMaps) -> None:
    """The map mass of every target in the first map's layer and method."""
    explanation = maps.explanation
    seconds = seconds_of(explanation, range(*explanation.span))
    first = explanation.maps[0]
    drawn = [
        index
        for index, series in enumerate(explanation.maps)
        if (series.layer, series.method) == (first.layer, first.method)
    ]
    for number, index in enumerate(drawn):
        # Red for a single map; several have the colours of their scores above.
        colour = "tab:red" if len(drawn) == 1 else f"C{number % 10}"
        mass = maps[index].mass
        label = legend_text(explanation.maps[index].label, MAX_NAME_LETTERS)
        panel.fill_between(seconds, mass, alpha=0.25, color=colour, linewidth=0)
        marker = "o" if len(seconds) == 1 else ""  # a line through one point is invisible
        panel.plot(seconds, mass, color=colour, linewidth=1.2, marker=marker, label=label)
    panel.set_ylabel("map mass")
    target = f": {first.label}" if len(drawn) == 1 else ""
    _set_title(panel, plot_text(f"{first.method} of {first.layer}{target}", MAX_NAME_LETTERS))
    if len(drawn) > 1:
        _add_legend(panel)
    panel.set_ylim(bottom=0)


def _draw_contributions(panel: Axes, explanation: Explanation) -> None:
    """What each frame the network saw adds to the first map's mean logit; the rest is the bias."""
    frames, added = frame_contributions(explanation)
    instants = seconds_of(explanation, frames)
    steps = np.diff(instants)
    width = float(np.median(steps)) if len(steps) else 1.0
    colours = np.where(added >= 0, "tab:red", "tab:blue").tolist()
    # One artist for all bars: an hour of video has tens of thousands.
    left, right, zero = instants - 0.45 * width, instants + 0.45 * width, np.zeros_like(added)
    corners = [(left, zero), (left, added), (right, added), (right, zero)]
    bars = PolyCollection(list(np.moveaxis(np.array(corners), -1, 0)), facecolors=colours)
    bars.sticky_edges.y.append(0)  # no margin below 0 where no bar is negative
    panel.add_collection(bars)
    panel.autoscale_view()
    panel.axhline(0, color="black", linewidth=0.6)
    series = explanation.maps[0]
    panel.set_ylabel("logit per frame")
    _set_title(
        panel,
        f"what each frame adds to this class's logit, {added.sum() + series.bias:.2f} in the mean "
        f"of the windows; the rest is the head's bias, {series.bias:+.2f}",
    )


def _lay_out(figure: Figure, notes: str) -> None:
    """Give all panels one height, the widest legend its room, and put the notes at the top."""
    panels = figure.axes
    lines = textwrap.wrap(notes, _NOTE_LETTERS)
    top = _TOP + (len(lines) * _NOTE_HEIGHT + 0.17 if lines else 0)
    height = _BOTTOM + len(panels) * _PANEL_HEIGHT + (len(panels) - 1) * _BETWEEN + top
    figure.set_size_inches(_WIDTH, height)
    legends = [legend for panel in panels if (legend := panel.get_legend())]
    widest = max((legend.get_window_extent().width for legend in legends), default=0) / figure.dpi
    figure.subplots_adjust(
        left=_LEFT / _WIDTH,
        right=max(1 - (widest + _RIGHT) / _WIDTH, _LEFT / _WIDTH + MIN_PLOT_WIDTH),
        bottom=_BOTTOM / height,
        top=1 - top / height,
        hspace=_BETWEEN / _PANEL_HEIGHT,
    )
    if lines:
        figure.suptitle(
            "\n".join(lines), color="darkorange", fontsize=10, y=1 - 0.1 / height, va="top"
        )


def _add_legend(panel: Axes) -> None:
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)


def _set_title(panel: Axes, text: str) -> None:
    # Left-aligned, so that a long title can extend into the room beside the panel.
    panel.set_title(text, loc="left", fontsize=10)


def _drawn_targets(explanation: Explanation) -> list[MapTarget]:
    """All targets with maps, filled up to NUM_CLASSES with the best other classes."""
    count = max(NUM_CLASSES, len(labels_of_targets(explanation)))
    return shown_targets(explanation, NUM_CLASSES)[:count]


def _scores_of_frames(explanation: Explanation, target: MapTarget) -> dict[int, float]:
    """Frame -> score, where the network scores frames and the target is mapped in all windows."""
    for index, series in enumerate(explanation.maps):
        if series.target == target and not series.class_ids:
            return explanation.scores_of_frames(index)
    return {}
