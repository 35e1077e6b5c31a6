"""What of the ground truth does not fit the clips or the network, all of it in one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from video_cam.errors import UsageError
from video_cam.truth.classes import LabelTable
from video_cam.truth.clip_facts import ClipFacts
from video_cam.truth.clip_truth import ClipTruth
from video_cam.utils.names import nearest, printable_path
from video_cam.utils.reporter import Reporter

SLACK_SECONDS = 0.05  # annotations are rounded, and a last frame's end is often not known
SLACK_PIXELS = 1.0
MOST_SHOWN = 3  # clips of an unknown class


@dataclass(frozen=True)
class TruthCheck:
    """What is known to be wrong before the network is loaded, and the classes to look for then.

    Attributes:
        classes: name of a class -> the clips that have it.
        object_names: names of annotated objects, which need be no classes.
        problems: what cannot be used; the run does not begin.
        unmatched: rows that fit no clip; a warning.
        num_without: clips of the run for which no ground truth was given.
    """

    classes: Mapping[str, tuple[str, ...]]
    object_names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    num_without: int = 0


def check_classes(check: TruthCheck, labels: Sequence[str], reporter: Reporter) -> None:
    """Compare the classes with a network's labels.

    Raises:
        UsageError: for classes that the network lacks and for all other problems, in one message.
    """
    table = LabelTable(labels)
    unknown = [name for name in check.classes if table.find(name) is None]
    wrong = [*check.problems, *(_unknown(name, check.classes[name], labels) for name in unknown)]
    if wrong:
        raise UsageError("ground truth: " + "; ".join([*wrong, *check.unmatched]))
    notes = list(check.unmatched)
    if check.num_without:
        notes.append(f"none was given for {_clips(check.num_without)} of this run")
    objects = [name for name in check.object_names if table.find(name) is None]
    if objects:
        notes.append(f"objects that are no classes of the network: {', '.join(objects)}")
    if notes:
        reporter.warning("ground truth: " + "; ".join(notes))


def times_and_places(
    truths: Mapping[Path, ClipTruth], facts: Mapping[Path, ClipFacts]
) -> Iterator[str]:
    """What of clips' truths lies outside of them or is missing, a few words each."""
    for clip, truth in truths.items():
        if clip in facts:
            for outside in _outside(truth, facts[clip]):
                yield f"{printable_path(clip)}: {outside}"


def _outside(truth: ClipTruth, facts: ClipFacts) -> Iterator[str]:
    end = f"the clip ends at {facts.end_seconds:.2f} s"
    latest = facts.end_seconds + SLACK_SECONDS
    for start, stop in truth.spans:
        if stop > latest:
            yield f"span {start:g} to {stop:g} s: {end}"
    for name, seconds in truth.key_times:
        if seconds > latest:
            yield f"key time {name} {seconds:g} s: {end}"
    for frame_index in sorted({place.frame_index for place in truth.places}):
        if frame_index >= facts.num_frames:
            yield f"frame {frame_index}: the clip has {facts.num_frames} frames, counted from 0"
    for mask in truth.masks:
        if mask.picture is not None and not Path(mask.picture).is_file():
            yield f"mask {printable_path(mask.picture)!r}: no such file"
    for box in truth.boxes:
        low = min(box.left, box.top)
        if (
            low < -SLACK_PIXELS
            or box.right > facts.width + SLACK_PIXELS
            or box.bottom > facts.height + SLACK_PIXELS
        ):
            yield (
                f"box {box.left:g} {box.top:g} {box.right:g} {box.bottom:g} in frame "
                f"{box.frame_index}: the frame has {facts.width}x{facts.height} pixels"
            )


def _unknown(name: str, clips: Sequence[str], labels: Sequence[str]) -> str:
    shown = ", ".join(map(printable_path, clips[:MOST_SHOWN]))
    more = ", ..." if len(clips) > MOST_SHOWN else ""
    remedy = nearest(name, labels) if labels else "the network has no classes"
    return f"unknown class {name!r} ({_clips(len(clips))}: {shown}{more}): {remedy}"


def _clips(count: int) -> str:
    return f"{count} clip{'' if count == 1 else 's'}"
