"""timeline.png: class scores and map mass over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from video_cam.explanation import Explanation

_SCORES_SHOWN = 5
_LONGEST_NAME = 60


def draw_timeline(
    path: Path,
    explanation: Explanation,
    seconds: np.ndarray,
    mass: np.ndarray,
) -> None:
    """Draw each window's class probabilities, and the first map's mass at every drawn frame.

    seconds, mass: (F,); the mass is the mean positive map value, in map units.
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    FigureCanvasAgg(figure)
    scores, masses = figure.subplots(2, 1, sharex=True)
    windows = explanation.sample_seconds
    for class_id in _classes(explanation):
        # A window's score stands at its middle, with a bar as long as the window.
        scores.errorbar(
            (windows[:, 0] + windows[:, -1]) / 2,
            explanation.window_scores(class_id),
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
    series = explanation.maps[0]
    masses.fill_between(seconds, mass, alpha=0.25, color="tab:red", linewidth=0)
    masses.plot(seconds, mass, color="tab:red", linewidth=1.2)
    masses.set(
        xlabel="seconds",
        ylabel="map mass",
        title=_short(f"{series.method} of {series.layer}: {series.label}"),
    )
    masses.set_ylim(bottom=0)
    if notes := explanation.notes:
        figure.suptitle(plain("; ".join(notes)), color="darkorange", fontsize=10)
    figure.savefig(path, dpi=110)


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
