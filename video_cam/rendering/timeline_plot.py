"""timeline.png: class scores, map mass and, where maps are complete, each frame's contribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

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
from video_cam.rendering.frame_panels import frame_panels
from video_cam.rendering.image_files import save_image
from video_cam.rendering.motion_bars import motion_panel
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
    Tick,
    ticks_between,
    with_room,
)
from video_cam.rendering.plot_drawing import draw_plot
from video_cam.utils.notes import INFORMATION, WARNING
from video_cam.utils.text import for_picture, shortened

Colours = Mapping[MapTarget, str]
Points = tuple[np.ndarray, np.ndarray]  # seconds, values

NUM_CLASSES = 5
MAX_NAME_LETTERS = 32
MAX_TITLE_LETTERS = 80
MAX_MARKERS = 60  # of windows, which are drawn as points up to this number
MAX_POINTS = 150  # of a class's scores
MAX_MASS_POINTS = 600
MAX_BARS = 300
LONG_SECONDS = 120
TICK_SECONDS, MAX_TICKS = (15, 30, 60, 120, 300, 600, 1200, 3600, 7200), 12
AGAINST, BLACK = "#8c8c8c", "#000000"
MAX_NOTES_LETTERS = 2000
WIDTH, LONG_WIDTH = 1100, 1650  # pixels
TIME_TICKS = {WIDTH: 10, LONG_WIDTH: 13}
_LANE_HEIGHT = 0.9  # of the distance from one lane to the next
_PROBABILITIES = (-0.03, 1.03)
_ROOM = 0.01  # of the time, at both sides
_MASS_OPACITY = 0.25


def draw_timeline(path: Path, maps: BlendedMaps) -> None:
    """Write ``timeline_plot`` as a PNG."""
    save_image(path, draw_plot(timeline_plot(maps)))


def timeline_plot(maps: BlendedMaps) -> Plot:
    """Panels of each window's class scores and of each target's map mass at every frame.

    Of each target the first kind of map is drawn, so that units are not mixed. Where the maps
    account for the whole logit, a panel shows what each frame adds to it; where the motion test
    ran, another one shows its scores.
    A class has the same colour in all of them. Of a long clip each point is the mean of several
    windows, the largest mass of several frames, and the mean of what several frames add.
    """
    explanation = maps.explanation
    colours = colours_of_targets(explanation, NUM_CLASSES)
    panels = [_score_panel(explanation, colours), _mass_panel(maps, colours)]
    if explanation.maps[0].bias is not None:
        panels.append(_contribution_panel(explanation, colours))
    if explanation.motion_test is not None:
        panels.append(motion_panel(explanation, colours[explanation.maps[0].target]))
    panels += frame_panels(explanation, colours[explanation.maps[0].target])
    width = LONG_WIDTH if _is_dense(explanation) else WIDTH
    name, span, ticks = _time_axis(explanation, panels, TIME_TICKS[width])
    warnings, notes = (_noted(explanation, kind) for kind in (WARNING, INFORMATION))
    return Plot(tuple(panels), name, span, ticks, warnings, notes, width)


def _noted(explanation: Explanation, kind: str) -> str:
    texts = [note.text for note in explanation.notes if note.kind == kind]
    return for_picture("; ".join(texts), MAX_NOTES_LETTERS)


def _score_panel(explanation: Explanation, colours: Colours) -> Panel:
    """The scores of the targets with maps and of the best other classes.

    Curves of few windows; of many windows, where curves would cover each other, a lane for each
    class.
    """
    targets = _drawn_targets(explanation)
    curves = [_score_curve(explanation, target) for target in targets]
    are_probabilities = explanation.model.score != "raw" and not explanation.functions
    name = _score_name(explanation) if are_probabilities else "score"
    legend = tuple(
        (colours[target], for_picture(explanation.label(target), MAX_NAME_LETTERS))
        for target in targets
    )
    if not _is_dense(explanation):
        marks = [
            mark
            for target, curve in zip(targets, curves, strict=True)
            for mark in _curve(explanation, target, curve, colours[target])
        ]
        limits = _PROBABILITIES if are_probabilities else with_room(*_range(curves))
        return Panel(name, tuple(marks), limits, legend=legend)
    low, high = (0.0, 1.0) if are_probabilities else _range(curves)
    lanes = [
        mark
        for lane, (target, curve) in enumerate(zip(targets, curves, strict=True))
        for mark in _lane(-lane, curve, (low, high), colours[target])
    ]
    each = -(-explanation.num_windows // MAX_POINTS)
    means = f", the mean of {each} windows at each point" if each > 1 else ""
    return Panel(
        name,
        tuple(lanes),
        (-len(targets) + 0.9, 1.05),
        f"each class from {low:.3g} to {high:.3g}{means}",
        legend,
        has_values=False,
        has_grid=True,
    )


def _score_name(explanation: Explanation) -> str:
    return "share of places" if explanation.model.shares else "class probability"


def _is_dense(explanation: Explanation) -> bool:
    """Whether there are more windows than are drawn as points."""
    return explanation.num_windows > MAX_MARKERS


def _score_curve(explanation: Explanation, target: MapTarget) -> Points:
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


def _range(curves: Sequence[Points]) -> Limits:
    """The smallest and the largest value, which differ."""
    values = np.concatenate([values for _, values in curves])
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1)


def _lane(bottom: int, curve: Points, limits: Limits, colour: str) -> tuple[Mark, ...]:
    """Fill a curve's steps over a line of its own."""
    instants, values = curve
    low, high = limits
    middles = (instants[1:] + instants[:-1]) / 2
    x = np.concatenate([instants[:1], np.repeat(middles, 2), instants[-1:]])
    height = np.repeat(_LANE_HEIGHT * (values - low) / (high - low), 2)
    return Area(x, np.full_like(x, bottom), bottom + height, colour), Level(bottom, colour)


def _curve(
    explanation: Explanation, target: MapTarget, curve: Points, colour: str
) -> tuple[Mark, ...]:
    """Scores as points; a window's with a bar up to where the next window is nearer."""
    instants, values = curve
    if _scores_of_frames(explanation, target):
        return (Curve(instants, values, colour, radius=3),)
    before, after = _reach(instants, explanation.sample_seconds[:, [0, -1]])
    bars = Spans(instants - before, instants + after, values, colour)
    return bars, Curve(instants, values, colour, radius=3)


def _reach(middles: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """float64 (2, W): how far to both sides a window is the nearest one; within its own length."""
    half = (ends[:, 1] - ends[:, 0]) / 2
    gaps = np.diff(middles) / 2
    before, after = np.append(half[:1], gaps), np.append(gaps, half[-1:])
    return np.minimum(half, [before, after]).clip(min=0)


def _mass_panel(maps: BlendedMaps, colours: Colours) -> Panel:
    """The map mass of every target in the first map's layer, method and detail."""
    explanation = maps.explanation
    seconds = seconds_of(explanation, range(*explanation.span))
    instants = shorten(seconds, np.mean, MAX_MASS_POINTS)
    first = explanation.maps[0]
    drawn = [index for index, series in enumerate(explanation.maps) if series.kind == first.kind]
    marks: list[Mark] = []
    legend = []
    for index in drawn:
        series = explanation.maps[index]
        colour, mass = colours[series.target], shorten(maps[index].mass, np.max, MAX_MASS_POINTS)
        marks.append(Area(instants, np.zeros_like(mass), mass, colour, _MASS_OPACITY))
        radius = 4 if len(seconds) == 1 else 0  # a line through one point is invisible
        marks.append(Curve(instants, mass, colour, radius=radius))
        legend.append((colour, for_picture(series.label, MAX_NAME_LETTERS)))
    largest = max(float(maps[index].mass.max()) for index in drawn)
    target = f": {shortened(first.label, MAX_NAME_LETTERS)}" if len(drawn) == 1 else ""
    return Panel(
        "map mass",
        tuple(marks),
        with_room(0.0, largest or 1.0),
        for_picture(f"{first.method} of {first.layer}{target}", MAX_TITLE_LETTERS),
        tuple(legend) if len(drawn) > 1 else (),
    )


def _contribution_panel(explanation: Explanation, colours: Colours) -> Panel:
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
    bars = Bars(instants - 0.45 * width, instants + 0.45 * width, added, tuple(bar_colours))
    label = for_picture(series.label, MAX_NAME_LETTERS)
    return Panel(
        "logit per frame",
        (bars, Level(0.0, BLACK)),
        with_room(min(float(added.min()), 0.0), max(float(added.max()), 0.0)),
        f"added to the logit of {label}: {every.sum() + series.bias:.2f} in the mean of the "
        f"windows, of which bias {series.bias:+.2f}",
    )


def _time_axis(
    explanation: Explanation, panels: Sequence[Panel], most_ticks: int
) -> tuple[str, Limits, tuple[Tick, ...]]:
    """The name, the limits and the ticks: seconds, of long clips minutes and seconds."""
    if explanation.timeline.num_frames == 1:
        return "one frame", (-1.0, 1.0), ()
    first, last = seconds_of(explanation, [explanation.span[0], explanation.span[1] - 1])
    edges = [first, last, *(edge for panel in panels for edge in _edges(panel))]
    start, end = float(min(edges)), float(max(edges))
    # Bars of a damaged explanation may be years away from its frames.
    least_step = math.ceil((end - start) / MAX_TICKS)
    room = _ROOM * (end - start) or 1.0
    start, end = start - room, end + room
    if last - first < LONG_SECONDS:
        return "seconds", (start, end), ticks_between(start, end, most_ticks)
    step = next((seconds for seconds in TICK_SECONDS if seconds >= least_step), least_step)
    instants = range(step * -int(-start // step), int(end) + 1, step)
    ticks = tuple((float(at), f"{at // 60}:{at % 60:02d}") for at in instants)
    return "minutes:seconds", (start, end), ticks


def _edges(panel: Panel) -> list[float]:
    """The first and the last time of the panel's bars, which are wider than frames."""
    return [
        float(edge)
        for mark in panel.marks
        if isinstance(mark, Bars)
        for edge in (mark.left.min(), mark.right.max())
    ]


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
