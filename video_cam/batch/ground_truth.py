"""The ground truth of a run's clips: from their folders, from files, from the lists of clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from video_cam.batch.clip_lists import is_list
from video_cam.config import LimitsConfig
from video_cam.truth.checking import TruthCheck, times_and_places
from video_cam.truth.clip_facts import facts_of
from video_cam.truth.clip_truth import ClipTruth, TruthFile
from video_cam.truth.matching import Matched, match
from video_cam.truth.reading import read_truth
from video_cam.truth.tables import TRUTH_COLUMN
from video_cam.utils.files import open_regular

FOLDERS = "folders"  # of --truth: each folder has the name of its clips' class
_HEADER_BYTES = 4096  # of a list that are looked at for its column of classes


@dataclass(frozen=True)
class GroundTruth:
    """What is known of the clips of a run.

    Attributes:
        truths: of the clips that have one.
        check: what the network's labels are compared with; None where nothing was given.
    """

    truths: Mapping[Path, ClipTruth] = field(default_factory=dict)
    check: TruthCheck | None = None


def find_truth(
    sources: Sequence[str],
    patterns: Sequence[str],
    clips: Sequence[Path],
    limits: LimitsConfig,
    video_stream: int | None,
) -> GroundTruth:
    """The ground truth of clips.

    Args:
        sources: FOLDERS or annotation files, as ``--truth`` takes them.
        patterns: as ``find_clips`` takes them; lists among them may have a column "truth".
        clips: all clips of the run, before some of them are chosen.
        limits: how much a clip may ask for.
        video_stream: which of a file's video streams is explained.

    Raises:
        UsageError: for a file that cannot be read or holds something else.
    """
    files = [read_truth(Path(name)) for name in sources if name != FOLDERS]
    files += [_of_list(pattern) for pattern in patterns if _has_truth(Path(pattern))]
    if not sources and not files:
        return GroundTruth()
    matched = Matched()
    if FOLDERS in sources:
        for clip in clips:
            folder = clip.absolute().parent.name
            matched.add(clip, ClipTruth(folder), f"folder {folder}")
    match(files, clips, matched)
    with_events = {clip: truth for clip, truth in matched.truths.items() if truth.has_events}
    facts = facts_of(list(with_events), limits, video_stream)
    outside = times_and_places(with_events, facts)
    check = TruthCheck(
        classes=_classes(matched.truths),
        object_names=tuple(
            sorted({name for truth in matched.truths.values() for name in truth.object_names})
        ),
        problems=(*matched.problems, *outside),
        unmatched=tuple(matched.unmatched),
        num_without=len(clips) - len(matched.truths),
    )
    return GroundTruth(matched.truths, check)


def _classes(truths: Mapping[Path, ClipTruth]) -> dict[str, tuple[str, ...]]:
    clips: dict[str, list[str]] = {}
    for clip, truth in truths.items():
        if truth.class_name is not None:
            clips.setdefault(truth.class_name, []).append(str(clip))
    return {name: tuple(having) for name, having in clips.items()}


def _has_truth(path: Path) -> bool:
    """Whether it is a list of clips with a column for the ground truth."""
    if not is_list(path) or path.suffix.lower() != ".csv":
        return False
    return TRUTH_COLUMN in _header(path)


def _header(path: Path) -> Iterator[str]:
    with open_regular(path) as file:
        line = file.readline(_HEADER_BYTES).decode("utf-8-sig", "replace")
    return (name.strip(' "\r\n').lower() for name in line.split(","))


def _of_list(pattern: str) -> TruthFile:
    """The rows of a list of clips whose clips have a truth; those without one are clips, too."""
    file = read_truth(Path(pattern))
    rows = tuple(row for row in file.rows if row.truth != ClipTruth())
    return TruthFile(file.path, rows, file.is_data_set, file.problems)
