"""timeline.png: class scores, map mass and, where maps are complete, each frame's part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from video_cam.contributions import frame_contributions
from video_cam.explanation import Explanation

_SCORES_SHOWN = 5
_LONGEST_NAME = 60


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
    figure = Figure(figsize=(10, 7 if complete else 5), layout="constrained")
    FigureCanvasAgg(figure)
    scores, masses, *more = figure.subplots(3 if complete else 2, 1, sharex=True)
    windows = explanation.sample_seconds
    for class_id in _classes(explanation):
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
        masses.plot(seconds, mass, color=colour, linewidth=1.2, label=plain(series.label))
    for panel in more:
        _draw_contributions(panel, explanation)
    figure.supxlabel("seconds", fontsize=10)
    masses.set(
        ylabel="map mass",
        title=_short(
            f"{first.method} of {first.layer}" + (f": {first.label}" if len(own) == 1 else "")
        ),
    )
    if len(own) > 1:
        masses.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    masses.set_ylim(bottom=0)
    if notes := explanation.notes:
        figure.suptitle(plain("; ".join(notes)), color="darkorange", fontsize=10)
    figure.savefig(path, dpi=110)


def _draw_contributions(panel: Axes, explanation: Explanation) -> None:
    """What each frame the network saw adds to the first map's logit; the rest is the bias."""
    frames, added = frame_contributions(explanation)
    timeline = explanation.timeline
    instants = timeline.pts[frames] * float(timeline.time_base)
    steps = np.diff(instants)
    width = float(np.median(steps)) if len(steps) else 1.0
    colours = np.where(added >= 0, "tab:red", "tab:blue").tolist()
    panel.bar(instants, added, width=0.9 * width, color=colours)
    panel.axhline(0, color="black", linewidth=0.6)
    series = explanation.maps[0]
    panel.set(
        ylabel="logit per frame",
        title=plain(
            f"what each frame adds to the logit of {series.label}, mean over its windows; "
            f"the rest is the head's bias, {series.bias:+.2f}"
        ),
    )


def _classes(explanation: Explanation) -> list[int]:
    """The classes whose maps were made, then the best others, each once."""
    targets = [series.class_id for series in explanation.maps]
    best = [prediction.class_id for prediction in explanation.predictions(_SCORES_SHOWN)]
    return list(dict.fromkeys([*targets, *best]))[: max(_SCORES_SHOWN, len(set(targets)))]


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
