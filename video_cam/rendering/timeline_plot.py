"""timeline.png: class scores, map mass and, where maps are complete, each frame's contribution."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from video_cam.explanation.contributions import frame_contributions
from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import BlendedMaps, seconds_of
from video_cam.rendering.curves import shorten
from video_cam.rendering.explained_targets import (
    MapTarget,
    colours_of_targets,
    labels_of_targets,
    shown_targets,
)
from video_cam.rendering.plot_text import boxes_for_missing_letters, legend_text, plot_text
from video_cam.utils.text import shortened

Colours = Mapping[MapTarget, str]
Curve = tuple[np.ndarray, np.ndarray]  # seconds, values

NUM_CLASSES = 5
MAX_NAME_LETTERS = 32
MAX_TITLE_LETTERS = 80
MAX_MARKERS = 60  # of windows, which are drawn as points up to this number
MAX_POINTS = 150  # of a class's scores
MAX_MASS_POINTS = 600
MAX_BARS = 300
LONG_SECONDS = 120
TICK_SECONDS, MAX_TICKS = (15, 30, 60, 120, 300, 600, 1200, 3600, 7200), 12
AGAINST = "#8c8c8c"
MAX_NOTES_LETTERS = 2000
MIN_PLOT_WIDTH = 0.2  # of the figure, whatever room the legend needs
DOTS_PER_INCH = 110
# Inches. Margins are fixed: matplotlib needs as long to find them as to draw the plot.
_WIDTH, _LONG_WIDTH, _PANEL_HEIGHT = 10.0, 15.0, 1.8
_LEFT, _RIGHT, _BOTTOM, _TOP, _BETWEEN = 0.95, 0.25, 0.65, 0.15, 0.35
_NOTE_HEIGHT, _NOTE_LETTERS = 0.18, 130  # of a line of the notes


def draw_timeline(path: Path, maps: BlendedMaps) -> None:
    """Write ``timeline_figure`` as a PNG."""
    with boxes_for_missing_letters():
        timeline_figure(maps).savefig(path, dpi=DOTS_PER_INCH)


def timeline_figure(maps: BlendedMaps) -> Figure:
    """Panels of each window's class scores and of each target's map mass at every frame.

    Of each target the map of the first layer and method is drawn, so that units are not mixed.
    Where the maps account for the whole logit, a third panel shows what each frame adds to it.
    A class has the same colour in all of them. Of a long clip each point is the mean of several
    windows, the largest mass of several frames, and the mean of what several frames add.
    """
    explanation = maps.explanation
    is_complete = explanation.maps[0].bias is not None
    figure = Figure()
    FigureCanvasAgg(figure)
    scores, masses, *more = figure.subplots(3 if is_complete else 2, 1, sharex=True)
    colours = colours_of_targets(explanation, NUM_CLASSES)
    _draw_scores(scores, explanation, colours)
    _draw_masses(masses, maps, colours)
    for panel in more:
        _draw_contributions(panel, explanation, colours)
    _label_time(figure.axes[-1], explanation)
    notes = plot_text("; ".join(explanation.notes), MAX_NOTES_LETTERS)
    _lay_out(figure, notes, _is_dense(explanation))
    return figure


def _draw_scores(panel: Axes, explanation: Explanation, colours: Colours) -> None:
    """The scores of the targets with maps and of the best other classes.

    Curves of few windows; of many windows, where curves would cover each other, a lane for each
    class.
    """
    targets = _drawn_targets(explanation)
    curves = [_score_curve(explanation, target) for target in targets]
    are_probabilities = explanation.model.score != "raw" and not explanation.functions
    name = _score_name(explanation) if are_probabilities else "score"
    if _is_dense(explanation):
        limits = (0.0, 1.0) if are_probabilities else _limits(curves)
        for lane, (target, curve) in enumerate(zip(targets, curves, strict=True)):
            _draw_lane(panel, -lane, curve, limits, colours[target])
        panel.set(ylabel=name, yticks=[], ylim=(-len(targets) + 0.9, 1.05))
        panel.grid(axis="x", linewidth=0.4)
        each = -(-explanation.num_windows // MAX_POINTS)
        means = f", the mean of {each} windows at each point" if each > 1 else ""
        _set_title(panel, f"each class from {limits[0]:.3g} to {limits[1]:.3g}{means}")
    else:
        for target, curve in zip(targets, curves, strict=True):
            _draw_curve(panel, explanation, target, curve, colours[target])
        panel.set(ylabel=name)
        if are_probabilities:
            panel.set_ylim(-0.03, 1.03)
    labels = [legend_text(explanation.label(target), MAX_NAME_LETTERS) for target in targets]
    handles = [Line2D([], [], color=colours[target], linewidth=3) for target in targets]
    _add_legend(panel, handles, labels)


def _score_name(explanation: Explanation) -> str:
    return "share of places" if explanation.model.shares else "class probability"


def _is_dense(explanation: Explanation) -> bool:
    """Whether there are more windows than are drawn as points."""
    return explanation.num_windows > MAX_MARKERS


def _score_curve(explanation: Explanation, target: MapTarget) -> Curve:
    """A target's scores at the middles of the windows, or at the frames that are scored."""
    frames = _scores_of_frames(explanation, target)
    if frames:
        instants, values = seconds_of(explanation, list(frames)), np.array(list(frames.values()))
    else:
        instants = explanation.sample_seconds[:, [0, -1]].mean(1)
        values = explanation.class_scores(target)
    if not _is_dense(explanation):
        return instants, values
    return shorten(instants, np.mean, MAX_POINTS), shorten(values, np.mean, MAX_POINTS)


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    values = np.concatenate([values for _, values in curves])
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1)


def _draw_lane(
    panel: Axes, bottom: int, curve: Curve, limits: tuple[float, float], colour: str
) -> None:
    """Fill a curve over a line of its own, 0.9 high."""
    instants, values = curve
    low, high = limits
    height = 0.9 * (values - low) / (high - low)
    panel.fill_between(instants, bottom, bottom + height, step="mid", color=colour, linewidth=0)
    panel.axhline(bottom, color=colour, linewidth=0.6)


def _draw_curve(
    panel: Axes, explanation: Explanation, target: MapTarget, curve: Curve, colour: str
) -> None:
    """Scores as points; a window's with a bar up to where the next window is nearer."""
    if _scores_of_frames(explanation, target):
        panel.plot(*curve, marker="o", markersize=3, color=colour)
        return
    reach = _reach(curve[0], explanation.sample_seconds[:, [0, -1]])
    panel.errorbar(
        *curve, xerr=reach, marker="o", markersize=4, linewidth=1.2, elinewidth=2.5, color=colour
    )


def _reach(middles: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """float64 (2, W): how far to both sides a window is the nearest one; within its own length."""
    half = (ends[:, 1] - ends[:, 0]) / 2
    gaps = np.diff(middles) / 2
    before, after = np.append(half[:1], gaps), np.append(gaps, half[-1:])
    return np.minimum(half, [before, after]).clip(min=0)


def _draw_masses(panel: Axes, maps: BlendedMaps, colours: Colours) -> None:
    """The map mass of every target in the first map's layer and method."""
    explanation = maps.explanation
    seconds = seconds_of(explanation, range(*explanation.span))
    instants = shorten(seconds, np.mean, MAX_MASS_POINTS)
    first = explanation.maps[0]
    drawn = [
        index
        for index, series in enumerate(explanation.maps)
        if (series.layer, series.method) == (first.layer, first.method)
    ]
    lines, labels = [], []
    for index in drawn:
        series = explanation.maps[index]
        colour, mass = colours[series.target], shorten(maps[index].mass, np.max, MAX_MASS_POINTS)
        panel.fill_between(instants, mass, alpha=0.25, color=colour, linewidth=0)
        marker = "o" if len(seconds) == 1 else ""  # a line through one point is invisible
        lines += panel.plot(instants, mass, color=colour, linewidth=1.2, marker=marker)
        labels.append(legend_text(series.label, MAX_NAME_LETTERS))
    panel.set_ylabel("map mass")
    target = f": {shortened(first.label, MAX_NAME_LETTERS)}" if len(drawn) == 1 else ""
    _set_title(panel, plot_text(f"{first.method} of {first.layer}{target}", MAX_TITLE_LETTERS))
    if len(drawn) > 1:
        _add_legend(panel, lines, labels)
    panel.set_ylim(bottom=0)


def _draw_contributions(panel: Axes, explanation: Explanation, colours: Colours) -> None:
    """What each frame the network saw adds to the first map's mean logit; the rest is the bias."""
    frames, every = frame_contributions(explanation)
    instants = shorten(seconds_of(explanation, frames), np.mean, MAX_BARS)
    added = shorten(every, np.mean, MAX_BARS)
    steps = np.diff(seconds_of(explanation, frames))
    usual = float(np.median(steps)) if len(steps) else 1.0
    width = usual * shorten(np.ones_like(every), np.sum, MAX_BARS)
    series = explanation.maps[0]
    # What counts against the class is grey: a second colour would be that of another class.
    bar_colours = np.where(added >= 0, colours[series.target], AGAINST).tolist()
    # One artist for all bars: an hour of video has tens of thousands.
    left, right, zero = instants - 0.45 * width, instants + 0.45 * width, np.zeros_like(added)
    corners = [(left, zero), (left, added), (right, added), (right, zero)]
    bars = PolyCollection(list(np.moveaxis(np.array(corners), -1, 0)), facecolors=bar_colours)
    bars.sticky_edges.y.append(0)  # no margin below 0 where no bar is negative
    panel.add_collection(bars)
    panel.autoscale_view()
    panel.axhline(0, color="black", linewidth=0.6)
    panel.set_ylabel("logit per frame")
    panel.tick_params(axis="y", labelsize=9)
    label = plot_text(series.label, MAX_NAME_LETTERS)
    _set_title(
        panel,
        f"added to the logit of {label}: {every.sum() + series.bias:.2f} in the mean of the "
        f"windows, of which bias {series.bias:+.2f}",
    )


def _label_time(panel: Axes, explanation: Explanation) -> None:
    """The axis of time: seconds, of long clips minutes and seconds."""
    panel.set_xlabel("seconds", fontsize=10)
    if explanation.timeline.num_frames == 1:
        panel.set(xlabel="one frame", xlim=(-1, 1), xticks=[])
        return
    first, last = seconds_of(explanation, [explanation.span[0], explanation.span[1] - 1])
    panel.margins(x=0.01)
    if last - first >= LONG_SECONDS:
        step = next((s for s in TICK_SECONDS if (last - first) / s <= MAX_TICKS), TICK_SECONDS[-1])
        panel.set_xlabel("minutes:seconds", fontsize=10)
        panel.xaxis.set_major_locator(MultipleLocator(step))
        panel.xaxis.set_major_formatter(lambda at, _: f"{int(at) // 60}:{int(at) % 60:02d}")


def _lay_out(figure: Figure, notes: str, is_long: bool) -> None:
    """Give all panels one height, the widest legend its room, and put the notes at the top."""
    panels = figure.axes
    lines = textwrap.wrap(notes, _NOTE_LETTERS)
    top = _TOP + (len(lines) * _NOTE_HEIGHT + 0.17 if lines else 0)
    height = _BOTTOM + len(panels) * _PANEL_HEIGHT + (len(panels) - 1) * _BETWEEN + top
    width = _LONG_WIDTH if is_long else _WIDTH
    figure.set_size_inches(width, height)
    legends = [legend for panel in panels if (legend := panel.get_legend())]
    widest = max((legend.get_window_extent().width for legend in legends), default=0) / figure.dpi
    figure.subplots_adjust(
        left=_LEFT / width,
        right=max(1 - (widest + _RIGHT) / width, _LEFT / width + MIN_PLOT_WIDTH),
        bottom=_BOTTOM / height,
        top=1 - top / height,
        hspace=_BETWEEN / _PANEL_HEIGHT,
    )
    if lines:
        figure.suptitle(
            "\n".join(lines), color="darkorange", fontsize=10, y=1 - 0.1 / height, va="top"
        )


def _add_legend(panel: Axes, handles: Sequence[Line2D], labels: Sequence[str]) -> None:
    panel.legend(
        handles, labels, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9
    )


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
