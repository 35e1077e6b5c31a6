"""Where is the network right and wrong? Accuracy, confusions and maps over the clips of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from video_cam.utils.intervals import Interval

TOP = 5  # "top-5": the true class is among so many of the best
# Measure -> its name for people, in the order in which they are shown.
MEASURES = {
    "mass": "share of the heat on the event",
    "event_share": "by chance: the event's share of the clip",
    "pointing": "pointing game",
    "iou": "IoU",
    "temporal_hit": "hottest moment in the event",
    "temporal_iou": "temporal IoU",
    "lag_seconds": "lag in seconds",
    "peak_distance_seconds": "from key time to peak in seconds",
}


@dataclass(frozen=True)
class ClassAnswer:
    """How one class fares.

    Attributes:
        label: of the class.
        num_clips: that have it; num_predicted: that are predicted to have it; num_right: both.
        measures: measure -> mean over the class's clips, None where there is none.
    """

    label: str
    num_clips: int
    num_predicted: int
    num_right: int
    measures: Mapping[str, float | None]

    @property
    def recall(self) -> float | None:
        """The share of its clips that are recognised."""
        return self.num_right / self.num_clips if self.num_clips else None

    @property
    def precision(self) -> float | None:
        """The share of its predictions that are right."""
        return self.num_right / self.num_predicted if self.num_predicted else None


@dataclass(frozen=True)
class MeasureAnswer:
    """Means of a measure with 95 % bootstrap intervals.

    Attributes:
        name: of MEASURES; title: for people.
        right, wrong: over the clips that are predicted right and wrong; counts: how many these are.
        all: over all clips with an event, also those without a class.
    """

    name: str
    title: str
    all: Interval
    right: Interval
    wrong: Interval
    counts: tuple[int, int]


@dataclass(frozen=True)
class Answers:
    """What the ground truth says about a run.

    Attributes:
        top1, top5: accuracies with 95 % Wilson intervals; top5 is None for so few classes.
        num_right, num_clips: of the accuracy; num_failed: clips with a truth and no prediction.
        classes: of all that occur, by name.
        confusions: (truth, predicted) -> number of clips.
        measures: of the maps, those that occur.
    """

    top1: Interval
    top5: Interval | None
    num_right: int
    num_clips: int
    num_failed: int
    classes: tuple[ClassAnswer, ...]
    confusions: Mapping[tuple[str, str], int]
    measures: tuple[MeasureAnswer, ...]

    @property
    def labels(self) -> list[str]:
        """Of all classes that occur, by name."""
        return [one.label for one in self.classes]

    def as_json(self) -> dict[str, Any]:
        """Accuracies and means in JSON's types."""
        return {
            "num_clips": self.num_clips,
            "num_right": self.num_right,
            "num_failed": self.num_failed,
            "top1": _interval(self.top1),
            "top5": None if self.top5 is None else _interval(self.top5),
            "measures": {
                one.name: {
                    group: _interval(getattr(one, group)) for group in ("all", "right", "wrong")
                }
                for one in self.measures
            },
        }


def sentences(answers: Answers) -> list[str]:
    """The answers in a few sentences."""
    said = []
    if answers.num_clips:
        top5 = "" if answers.top5 is None else f"; top-{TOP} {percent(answers.top5.mean)}"
        said.append(
            f"accuracy {percent(answers.top1.mean)}: {answers.num_right} of {answers.num_clips} "
            f"right (95 % Wilson interval {percent(answers.top1.low)} to "
            f"{percent(answers.top1.high)}){top5}"
        )
    errors = {pair: n for pair, n in answers.confusions.items() if pair[0] != pair[1]}
    worst = sorted(errors.items(), key=lambda item: (-item[1], item[0]))[:3]
    if worst:
        shown = ", ".join(f"{truth} taken for {other} {n}x" for (truth, other), n in worst)
        said.append(f"most frequent errors: {shown}")
    for measure in answers.measures:
        if measure.name == "mass":
            said.append(_on_event(measure))
    if answers.num_failed:
        failed = answers.num_failed
        these = "1 clip failed and is" if failed == 1 else f"{failed} clips failed and are"
        said.append(f"{these} not counted")
    return said


def percent(share: float | None) -> str:
    """Such as "93.3 %"; empty where it is not known."""
    return "" if share is None or math.isnan(share) else f"{100 * share:.1f} %"


def interval_text(interval: Interval) -> str:
    """Such as "0.31 (0.25 to 0.38)"; empty where there are no values."""
    if math.isnan(interval.mean):
        return ""
    return f"{interval.mean:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def _on_event(mass: MeasureAnswer) -> str:
    text = f"{percent(mass.all.mean)} of the heat lies on the event"
    if math.isnan(mass.right.mean) or math.isnan(mass.wrong.mean):
        return text
    return (
        f"{text}: {percent(mass.right.mean)} where the prediction is right, "
        f"{percent(mass.wrong.mean)} where it is wrong"
    )


def _interval(interval: Interval) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else value for name, value in interval._asdict().items()
    }
