"""Which predictions changed from one run to others: records are matched clip by clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from video_cam.evaluation.answers import percent
from video_cam.utils.intervals import Interval, paired_difference, wilson

BROKEN, FIXED, CHANGED, SAME = "broken", "fixed", "changed", "same"
CHANGES = (BROKEN, FIXED, CHANGED, SAME)  # in the order in which they are shown
_UNFINISHED = "failed"
Record = Mapping[str, Any]


@dataclass(frozen=True)
class ComparedClip:
    """A clip that all runs have finished.

    Attributes:
        name: its path from the folder that was given to the runs, or its path.
        records: one for each run.
        truth: the label of its true class; None where no run knows it.
    """

    name: str
    records: tuple[Record, ...]
    truth: str | None

    @property
    def labels(self) -> tuple[str, ...]:
        """What each run predicts."""
        return tuple(record["prediction"]["label"] for record in self.records)

    @property
    def correct(self) -> tuple[bool, ...]:
        """Whether each run is right; empty where the truth is not known."""
        if self.truth is None:
            return ()
        return tuple(label == self.truth for label in self.labels)

    @property
    def change(self) -> str:
        """From the first run to the others, of CHANGES.

        Broken: the first is right and any other is wrong; fixed: the first is wrong and any other
        is right; changed: otherwise another class is predicted.
        """
        if len(set(self.labels)) == 1:
            return SAME
        if self.correct and self.correct[0]:
            return BROKEN
        return FIXED if any(self.correct[1:]) else CHANGED


@dataclass(frozen=True)
class Comparison:
    """Runs over the same clips.

    Attributes:
        names: of the runs.
        clips: that all runs have finished, in the order of the first run.
        num_left_out: clips that a run lacks or failed on.
    """

    names: tuple[str, ...]
    clips: tuple[ComparedClip, ...]
    num_left_out: int

    def count(self, change: str) -> int:
        """How many clips changed in this way."""
        return sum(clip.change == change for clip in self.clips)

    @property
    def _num_judged(self) -> int:
        """How many clips have a truth."""
        return sum(bool(clip.correct) for clip in self.clips)

    @property
    def accuracies(self) -> list[Interval]:
        """Of each run over the clips with a truth, with 95 % Wilson intervals; empty without."""
        judged = [clip.correct for clip in self.clips if clip.correct]
        return [wilson(sum(right), len(judged)) for right in zip(*judged, strict=True)]

    @property
    def differences(self) -> list[Interval]:
        """Of each further run's accuracy from the first one's, with 95 % bootstrap intervals."""
        judged = [clip.correct for clip in self.clips if clip.correct]
        if not judged:
            return []
        first, *others = zip(*judged, strict=True)
        return [paired_difference(list(map(float, one)), list(map(float, first))) for one in others]

    def sentences(self) -> list[str]:
        """The comparison in a few sentences."""
        return list(self._said())

    def _said(self) -> Iterator[str]:
        num_changed = len(self.clips) - self.count(SAME)
        yield (
            f"{num_changed} of {len(self.clips)} predictions changed: {self.count(FIXED)} fixed, "
            f"{self.count(BROKEN)} broken, {self.count(CHANGED)} to another class"
            if self.accuracies
            else f"{num_changed} of {len(self.clips)} predictions changed"
        )
        if self.accuracies:
            each = (
                f"{name} {percent(accuracy.mean)}"
                for name, accuracy in zip(self.names, self.accuracies, strict=True)
            )
            yield f"accuracy: {', '.join(each)}"
        for name, difference in zip(self.names[1:], self.differences, strict=False):
            text = f"{name} minus {self.names[0]}: {100 * difference.mean:+.1f} percentage points"
            if self._num_judged > 1:  # one clip says nothing of how much clips differ
                ends = f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
                text = f"{text} (95 % bootstrap interval {ends})"
            yield text
        if self.num_left_out:
            one = self.num_left_out == 1
            clips = "1 clip is" if one else f"{self.num_left_out} clips are"
            yield f"{clips} left out: not every run has finished {'it' if one else 'them'}"


def compare(names: Sequence[str], runs: Sequence[Sequence[Record]]) -> Comparison:
    """Match the records of runs.

    A clip is known by its path from the folder that was given, else by its path, else by the folder
    of its results.

    Args:
        names: of the runs.
        runs: the last record of each clip, for each run.
    """
    for key in (_path, _folder):
        tables = [{key(record): record for record in run if _is_finished(record)} for run in runs]
        common = [name for name in tables[0] if all(name in table for table in tables)]
        if common:
            break
    clips = tuple(_compared(tuple(table[name] for table in tables)) for name in common)
    num_clips = len({key(record) for run in runs for record in run})
    return Comparison(tuple(names), clips, num_clips - len(clips))


def _is_finished(record: Record) -> bool:
    return record.get("status") != _UNFINISHED and bool(record.get("prediction"))


def _path(record: Record) -> str:
    return str(record.get("relative") or record["clip"])


def _folder(record: Record) -> str:
    return str(record.get("folder"))


def _compared(records: tuple[Record, ...]) -> ComparedClip:
    truths = ((record.get("truth") or {}).get("label") for record in records)
    return ComparedClip(_path(records[0]), records, next(filter(None, truths), None))
