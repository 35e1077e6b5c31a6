"""timeline.png: class scores, map mass and, where maps are complete, each frame's part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from video_cam.contributions import frame_contributions
from video_cam.explanation import Explanation

_SCORES_SHOWN = 5


def draw_timeline(
    path: Path,
    explanation: Explanation,
    seconds: np.ndarray,
    mass: np.ndarray,
) -> None:
    """Draw each window's class probabilities, and the first map's mass at every drawn frame.

    seconds, mass: (F,); the mass is the mean positive map value, in map units.
    """
    series = explanation.maps[0]
    complete = series.bias is not None
    figure = Figure(figsize=(10, 7 if complete else 5), layout="constrained")
    FigureCanvasAgg(figure)
    scores, masses, *more = figure.subplots(3 if complete else 2, 1, sharex=True)
    windows = explanation.sample_seconds
    for class_id in _classes(explanation):
        # A window's score stands at its middle, with a bar as long as the window.
        scores.errorbar(
            (windows[:, 0] + windows[:, -1]) / 2,
            explanation.probabilities[:, class_id],
            xerr=(windows[:, -1] - windows[:, 0]) / 2,
            marker="o",
            markersize=4,
            linewidth=1.5,
            elinewidth=0.5,
            label=plain(explanation.labels[class_id]),
        )
    scores.set(ylabel="class probability", ylim=(-0.03, 1.03))
    scores.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    masses.fill_between(seconds, mass, alpha=0.25, color="tab:red", linewidth=0)
    masses.plot(seconds, mass, color="tab:red", linewidth=1.2)
    for panel in more:
        _draw_contributions(panel, explanation)
    figure.supxlabel("seconds", fontsize=10)
    masses.set(
        ylabel="map mass",
        title=plain(f"{series.method} of {series.layer}: {series.label}"),
    )
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


def plain(text: str) -> str:
    """Matplotlib reads dollar signs as mathematics; a class name means none."""
    return text.replace("$", r"\$")
