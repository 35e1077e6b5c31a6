"""timeline.png: class scores, map mass and, where maps are complete, each frame's part."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from video_cam.explanation.contributions import frame_contributions
from video_cam.explanation.explanation import Explanation

_SCORES_SHOWN = 5
_LONGEST_NAME = 60
# Inches. Margins of fixed size: to have matplotlib find them takes as long as to draw the picture.
_WIDTH, _PANEL_HEIGHT = 10.0, 1.8
_LEFT, _RIGHT, _BOTTOM, _TOP, _BETWEEN = 0.85, 0.25, 0.65, 0.15, 0.35
_LINE, _LINE_LETTERS = 0.18, 130  # of the notes


def draw_timeline(
    path: Path,
    explanation: Explanation,
    seconds: np.ndarray,
    all_masses: Sequence[np.ndarray],
) -> None:
    """Draw each window's class probabilities, and each class's map mass at every drawn frame.

    seconds: (F,). all_masses: (F,) for each map; the mass is the mean positive map value, in map
    units. Of each class the first map is drawn, so that layers and methods do not mix units.
    """
    first = explanation.maps[0]
    complete = first.bias is not None
    figure = Figure()
    FigureCanvasAgg(figure)
    scores, masses, *more = figure.subplots(3 if complete else 2, 1, sharex=True)
    windows = explanation.sample_seconds
    for class_id in _classes(explanation):
        frames = _scores_of_frames(explanation, class_id)
        if frames:
            instants = explanation.timeline.pts[list(frames)] * float(
                explanation.timeline.time_base
            )
            label = _short(explanation.label(class_id))
            scores.plot(instants, list(frames.values()), marker="o", markersize=3, label=label)
            continue
        # A window's score stands at its middle, with a bar as long as the window.
        scores.errorbar(
            (windows[:, 0] + windows[:, -1]) / 2,
            explanation.class_scores(class_id),
            xerr=(windows[:, -1] - windows[:, 0]) / 2,
            marker="o",
            markersize=4,
            linewidth=1.5,
            elinewidth=0.5,
            label=_short(explanation.label(class_id)),
        )
    scores.set(ylabel=_axis_label(explanation))
    if explanation.model.score != "raw" and not explanation.functions:
        scores.set_ylim(-0.03, 1.03)
    scores.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    own = [(one, mass) for one, mass in zip(explanation.maps, all_masses, strict=True)
           if (one.layer, one.method) == (first.layer, first.method)]  # fmt: skip
    for number, (series, mass) in enumerate(own):
        # Red for a single map; several have the colours of their classes' scores above.
        colour = "tab:red" if len(own) == 1 else f"C{number % 10}"
        masses.fill_between(seconds, mass, alpha=0.25, color=colour, linewidth=0)
        marker = "o" if len(seconds) == 1 else ""  # a line through one point is not seen
        masses.plot(
            seconds, mass, color=colour, linewidth=1.2, marker=marker, label=plain(series.label)
        )
    for panel in more:
        _draw_contributions(panel, explanation)
    figure.axes[-1].set_xlabel("seconds", fontsize=10)
    if explanation.timeline.num_frames == 1:
        figure.axes[-1].set(xlabel="one frame", xlim=(-1, 1), xticks=[])
    masses.set_ylabel("map mass")
    subject = f": {first.label}" if len(own) == 1 else ""
    _title(masses, _short(f"{first.method} of {first.layer}{subject}"))
    if len(own) > 1:
        masses.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    masses.set_ylim(bottom=0)
    _lay_out(figure, plain("; ".join(explanation.notes)))
    figure.savefig(path, dpi=110)


def _lay_out(figure: Figure, notes: str) -> None:
    """Give every panel the same height, the widest legend its room, and the notes lines on top."""
    panels = figure.axes
    lines = textwrap.wrap(notes, _LINE_LETTERS)
    top = _TOP + (len(lines) * _LINE + 0.17 if lines else 0)
    height = _BOTTOM + len(panels) * _PANEL_HEIGHT + (len(panels) - 1) * _BETWEEN + top
    figure.set_size_inches(_WIDTH, height)
    legends = [legend for panel in panels if (legend := panel.get_legend())]
    widest = max((legend.get_window_extent().width for legend in legends), default=0) / figure.dpi
    figure.subplots_adjust(
        left=_LEFT / _WIDTH,
        right=1 - (widest + _RIGHT) / _WIDTH,
        bottom=_BOTTOM / height,
        top=1 - top / height,
        hspace=_BETWEEN / _PANEL_HEIGHT,
    )
    if lines:
        figure.suptitle(
            "\n".join(lines), color="darkorange", fontsize=10, y=1 - 0.1 / height, va="top"
        )


def _draw_contributions(panel: Axes, explanation: Explanation) -> None:
    """What each frame the network saw adds to the first map's mean logit; the rest is the bias."""
    frames, added = frame_contributions(explanation)
    timeline = explanation.timeline
    instants = timeline.pts[frames] * float(timeline.time_base)
    steps = np.diff(instants)
    width = float(np.median(steps)) if len(steps) else 1.0
    colours = np.where(added >= 0, "tab:red", "tab:blue").tolist()
    # One artist for all bars: an hour of video has tens of thousands.
    left, right, zero = instants - 0.45 * width, instants + 0.45 * width, np.zeros_like(added)
    corners = [(left, zero), (left, added), (right, added), (right, zero)]
    bars = PolyCollection(list(np.moveaxis(np.array(corners), -1, 0)), facecolors=colours)
    bars.sticky_edges.y.append(0)  # bars stand on the ground where none goes below it
    panel.add_collection(bars)
    panel.autoscale_view()
    panel.axhline(0, color="black", linewidth=0.6)
    series = explanation.maps[0]
    panel.set_ylabel("logit per frame")
    _title(
        panel,
        f"what each frame adds to this class's logit, {added.sum() + series.bias:.2f} in the mean "
        f"of the windows; the rest is the head's bias, {series.bias:+.2f}",
    )


def _title(panel: Axes, text: str) -> None:
    # From the left, so that what is long runs on over the room beside the panel.
    panel.set_title(text, loc="left", fontsize=10)


def _classes(explanation: Explanation) -> list[int]:
    """The classes whose maps were made, then the best others, each once."""
    targets = [series.class_id for series in explanation.maps]
    best = [prediction.class_id for prediction in explanation.predictions(_SCORES_SHOWN)]
    return list(dict.fromkeys([*targets, *best]))[: max(_SCORES_SHOWN, len(set(targets)))]


def _scores_of_frames(explanation: Explanation, class_id: int) -> dict[int, float]:
    """Frame -> score, of a network that scores frames and a class that is mapped in all windows."""
    for index, series in enumerate(explanation.maps):
        if series.class_id == class_id and not series.class_ids:
            return explanation.scores_of_frames(index)
    return {}


def _axis_label(explanation: Explanation) -> str:
    if explanation.functions or explanation.model.score == "raw":
        return "score"
    return "class probability"


def plain(text: str) -> str:
    """Matplotlib reads dollar signs as mathematics; a class name means none."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text).replace("$", r"\$")


def _short(text: str) -> str:
    """A name that leaves room for the curves."""
    return plain(text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…")
