"""Where is the network right and wrong? Accuracy, confusions and maps over the clips of a run.

Works on records, the lines of results.jsonl; imports no PyTorch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from video_cam.utils.intervals import Interval, mean_interval, wilson

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
class Judged:
    """A clip whose true and predicted class are known.

    Attributes:
        truth, predicted: labels of the network.
        score: of the prediction.
        rank: the true class's place among the predictions, from 1.
        measures: of its map; empty where there is no event.
    """

    truth: str
    predicted: str
    score: float
    rank: int
    measures: Mapping[str, float | None]

    @property
    def correct(self) -> bool:
        """Whether the prediction is the truth."""
        return self.rank == 1


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


def judged(record: Mapping[str, Any]) -> Judged | None:
    """What a record says about its clip; None where the truth or the prediction is not known."""
    truth, prediction = record.get("truth") or {}, record.get("prediction") or {}
    rank, label = truth.get("rank"), truth.get("label")
    if rank is None or label is None or "label" not in prediction:
        return None
    return Judged(
        label, prediction["label"], prediction["score"], rank, truth.get("measures") or {}
    )


def answers_of(records: Sequence[Mapping[str, Any]]) -> Answers | None:
    """The answers of a run; None where no record has a truth."""
    truths = [record["truth"] for record in records if record.get("truth")]
    if not truths:
        return None
    clips = [clip for clip in map(judged, records) if clip is not None]
    num_right = sum(clip.correct for clip in clips)
    num_classes = max((truth.get("num_classes") or 0 for truth in truths), default=0)
    in_top = sum(clip.rank <= TOP for clip in clips)
    return Answers(
        top1=wilson(num_right, len(clips)),
        top5=wilson(in_top, len(clips)) if num_classes > TOP else None,
        num_right=num_right,
        num_clips=len(clips),
        num_failed=sum(
            bool(record.get("truth")) and record.get("status") == "failed" for record in records
        ),
        classes=tuple(_classes(clips)),
        confusions=Counter((clip.truth, clip.predicted) for clip in clips),
        measures=tuple(_measures(clips, truths)),
    )


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


def _classes(clips: Sequence[Judged]) -> Iterable[ClassAnswer]:
    predicted = Counter(clip.predicted for clip in clips)
    clips_of: dict[str, list[Judged]] = {label: [] for label in predicted}
    for clip in clips:
        clips_of.setdefault(clip.truth, []).append(clip)
    for label, own in sorted(clips_of.items()):
        yield ClassAnswer(
            label,
            num_clips=len(own),
            num_predicted=predicted[label],
            num_right=sum(clip.correct for clip in own),
            measures={name: _mean(clip.measures.get(name) for clip in own) for name in MEASURES},
        )


def _measures(
    clips: Sequence[Judged], truths: Sequence[Mapping[str, Any]]
) -> Iterable[MeasureAnswer]:
    for name, title in MEASURES.items():
        everything = _known((truth.get("measures") or {}).get(name) for truth in truths)
        if not everything:
            continue
        right, wrong = (
            _known(clip.measures.get(name) for clip in clips if clip.correct == is_right)
            for is_right in (True, False)
        )
        of_all, of_right, of_wrong = map(mean_interval, (everything, right, wrong))
        counts = (len(right), len(wrong))
        yield MeasureAnswer(name, title, of_all, of_right, of_wrong, counts)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return sum(known) / len(known) if known else None


def _interval(interval: Interval) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else value for name, value in interval._asdict().items()
    }
