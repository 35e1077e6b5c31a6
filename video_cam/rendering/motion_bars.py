"""The motion test for charts: a bar for each version of the window, on the page and in the plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from video_cam.explanation.explanation import Explanation
from video_cam.rendering.blended_maps import seconds_of
from video_cam.rendering.plot import Bars, Level, Mark, Panel, Spans, with_room
from video_cam.utils.text import for_picture

# Entry of the motion test -> its name for people, and its colour in the plot (None: the class's).
VERSIONS = {
    "score": ("as it is", None),
    "frozen": ("one frame", "#8c8c8c"),
    "shuffled": ("shuffled", "#7b3294"),
    "reversed": ("reversed", "#a6761d"),
    "slow": ("half speed", "#66c2a5"),
    "fast": ("double speed", "#1b7837"),
    "still": ("blurred still", "#000000"),
}
BLACK = "#000000"
_BAR_SHARE = 0.8  # of the time from one frame to the next
_MAX_TITLE_LETTERS = 110


@dataclass(frozen=True)
class MotionBar:
    """A bar of the chart. Lengths are shares of the chart's width.

    Attributes:
        name: of the version.
        text: the score.
        shown: the score as results show it, such as a probability in per cent.
        left, width: of the bar, which begins or ends at the line of score 0.
        spread: (left, width) from the smallest to the largest of several scores; None for one.
        is_clip: whether it is the unaltered window.
    """

    name: str
    text: str
    shown: str
    left: float
    width: float
    spread: tuple[float, float] | None
    is_clip: bool


def motion_bars(result: Mapping[str, Any]) -> list[MotionBar]:
    """The bars of a motion test, as summary.json has it."""
    several = {name: result.get(f"{name}_scores", [result[name]]) for name in VERSIONS}
    values = [0.0, *(value for scores in several.values() for value in scores)]
    low, high = min(values), max(values)
    whole = high - low or 1.0

    def place(start: float, end: float) -> tuple[float, float]:
        return (min(start, end) - low) / whole, abs(end - start) / whole

    return [
        MotionBar(
            label,
            f"{result[name]:.1f}",
            str(result.get("shown", {}).get(name, "")),
            *place(0.0, result[name]),
            place(min(several[name]), max(several[name])) if len(several[name]) > 1 else None,
            name == "score",
        )
        for name, (label, _) in VERSIONS.items()
    ]


def motion_panel(explanation: Explanation, colour: str) -> Panel:
    """The scores of the tested window: frozen at each of its frames, and its other versions.

    Args:
        explanation: with a motion test.
        colour: of the tested class.
    """
    result = explanation.motion_test or {}
    instants = seconds_of(explanation, result["frozen_frame_indices"])
    frozen = np.array(result["frozen_scores"])
    steps = np.diff(instants)
    width = _BAR_SHARE * (float(np.median(steps)) if len(steps) else 1.0)
    first, last = instants[:1] - width / 2, instants[-1:] + width / 2
    marks: list[Mark] = [
        Bars(
            instants - width / 2,
            instants + width / 2,
            frozen,
            (VERSIONS["frozen"][1] or colour,) * len(frozen),
        ),
        Level(0.0, BLACK),
    ]
    lines = {name: own or colour for name, (_, own) in VERSIONS.items() if name != "frozen"}
    marks += [Spans(first, last, np.array([result[name]]), own) for name, own in lines.items()]
    values = [0.0, *frozen, *(result[name] for name in lines)]
    share = result["motion_share"]
    share_text = "undefined" if share is None else f"{share:.2f}"
    label = for_picture(result["label"], 32)
    return Panel(
        "score",
        tuple(marks),
        with_room(min(values), max(values)),
        for_picture(
            f"motion share of {label}: {share_text}; bars: each frame alone, shown all the time",
            _MAX_TITLE_LETTERS,
        ),
        tuple((own or colour, label) for label, own in VERSIONS.values()),
    )
