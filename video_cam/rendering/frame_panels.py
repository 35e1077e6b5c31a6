"""The frame test in timeline.png: what each frame and each window adds to the score."""

from __future__ import annotations

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.explanation.frame_test_fields import share_text
from video_cam.rendering.curves import shorten
from video_cam.rendering.plot import Bars, Curve, Level, Mark, Panel, with_room
from video_cam.utils.text import for_picture

MAX_BARS = 300
OTHERS, BLACK = "#a8a8a8", "#000000"
MAX_NAME_LETTERS = 32
_BAR_SHARE = 0.9  # of the time from one bar to the next


def frame_panels(explanation: Explanation, colour: str) -> list[Panel]:
    """Panels of the frames of the tested window, and of the windows where there are several.

    Args:
        explanation: with or without the frame test.
        colour: of the bars that are enough for the score; the others are grey.
    """
    result = explanation.frame_test
    if result is None:
        return []
    panels: list[Panel] = []
    unit = unit_of_contributions(explanation)
    label, windows = for_picture(result["label"], MAX_NAME_LETTERS), result["windows"]
    if result["frame_indices"]:
        seconds = np.array(result["pts_seconds"])
        is_enough = np.isin(result["frame_indices"], result["sufficient_frames"])
        marks, limits = _bars(
            seconds, result["contributions"], is_enough, colour, result["standard_errors"]
        )
        title = f"frame test of {label}, what each frame adds to its score{_enough(result)}"
        panels.append(Panel(f"added {unit}", marks, limits, title))
    if windows is not None and explanation.frame_indices.shape[1] > 1:
        middles = explanation.sample_seconds[:, [0, -1]].mean(1)
        is_enough = np.isin(np.arange(len(middles)), windows["sufficient_windows"])
        marks, limits = _bars(middles, windows["contributions"], is_enough, colour)
        title = f"what each window adds to the clip's score of {label}{_enough(windows)}"
        panels.append(Panel(f"added {unit}", marks, limits, title))
    return panels


def unit_of_contributions(explanation: Explanation) -> str:
    """What the frame test counts in: "logit", or "score" for functions and regression."""
    return "logit" if explanation.is_probability(explanation.maps[0].target) else "score"


def _enough(entries: dict[str, object]) -> str:
    share = entries["kept_share"]
    return f"; those in colour keep {share_text(share)}" if isinstance(share, float) else ""


def _bars(
    instants: np.ndarray,
    contributions: list[float],
    is_enough: np.ndarray,
    colour: str,
    standard_errors: list[float] | None = None,
) -> tuple[tuple[Mark, ...], tuple[float, float]]:
    """A bar for each contribution, with two standard errors to both sides; and the limits."""
    added = shorten(np.array(contributions, float), np.mean, MAX_BARS)
    middles = shorten(instants, np.mean, MAX_BARS)
    coloured = shorten(is_enough.astype(float), np.max, MAX_BARS) > 0
    steps = np.diff(middles)
    half = _BAR_SHARE / 2 * (float(np.median(steps)) if len(steps) else 1.0)
    colours = tuple(np.where(coloured, colour, OTHERS).tolist())
    marks: list[Mark] = [Bars(middles - half, middles + half, added, colours)]
    reach = np.zeros_like(added)
    if standard_errors is not None and len(standard_errors) == len(added):
        reach = 2 * np.array(standard_errors, float)
        for at, value, error in zip(middles, added, reach, strict=True):
            ends = np.array([value - error, value + error])
            marks.append(Curve(np.array([at, at]), ends, BLACK))
    low, high = min(float((added - reach).min()), 0.0), max(float((added + reach).max()), 0.0)
    return (*marks, Level(0.0, BLACK)), with_room(low, high)
