"""Which annotation is of which clip."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from video_cam.truth.classes import plain_name
from video_cam.truth.clip_truth import ClipTruth, TruthFile, TruthRow
from video_cam.utils.names import printable_path

MOST_SHOWN = 3  # clips in a message that a row fits


@dataclass
class Matched:
    """Clips with their ground truth.

    Attributes:
        truths: of the clips that have one.
        unmatched: rows that fit no clip, a few words on each.
        problems: rows that cannot be used, likewise.
        num_others: rows of data sets that fit no clip, as most do.
    """

    truths: dict[Path, ClipTruth] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    num_others: int = 0

    def add(self, clip: Path, truth: ClipTruth, where: str) -> None:
        """Join a clip's truth with what is known of it; another class is a problem."""
        before = self.truths.get(clip)
        if before is None:
            self.truths[clip] = truth
            return
        names = before.class_name, truth.class_name
        if None not in names and len(set(map(plain_name, filter(None, names)))) == 2:
            shown = printable_path(clip)
            self.problems.append(f"{where}: {shown} is {names[1]!r} here, {names[0]!r} elsewhere")
            return
        self.truths[clip] = before.joined(truth)


class ClipIndex:
    """Finds clips by their paths, by the ends of their paths, and by names without suffix."""

    def __init__(self, clips: Iterable[Path]) -> None:
        """Index the clips of a run."""
        self._by_path: dict[str, Path] = {}
        self._by_name: dict[str, list[Path]] = {}
        for clip in clips:
            self._by_path[os.path.realpath(clip)] = clip
            for name in {clip.absolute().name, clip.absolute().stem}:
                self._by_name.setdefault(name, []).append(clip)

    def find(self, name: str, folder: Path, *, ignore_folders: bool) -> list[Path]:
        """The clips that may be meant by a name.

        Args:
            name: a path, or its end; the suffix may be left out, or be that of another container.
            folder: of the annotation file, where relative paths may start.
            ignore_folders: the name's folders need not be those of the clip.
        """
        for path in (folder / name, Path(name)):
            clip = self._by_path.get(os.path.realpath(path))
            if clip is not None:
                return [clip]
        end = PurePath(os.path.normpath(name.replace("\\", "/")))
        parents = tuple(part for part in end.parts[:-1] if part not in ("..", "/"))
        for last in dict.fromkeys((end.name, end.stem)):
            named = self._by_name.get(last, [])
            found = [clip for clip in named if _is_below(clip, parents)]
            if found or (named and ignore_folders):
                return found or named
        return []


def match(files: Iterable[TruthFile], clips: Sequence[Path], matched: Matched) -> None:
    """Add the annotations of files to ``matched``, each row to the clip that it names."""
    index = ClipIndex(clips)
    for file in files:
        matched.problems += file.problems
        folder, num_found = Path(file.path).absolute().parent, 0
        for row in file.rows:
            found = _clips_of(row, index, folder, file.is_data_set)
            num_found += bool(found)
            if len(found) > 1:
                shown = ", ".join(printable_path(clip) for clip in found[:MOST_SHOWN])
                matched.problems.append(
                    f"{row.where}: {row.names[0]!r} fits several clips: {shown}"
                )
            elif found:
                matched.add(found[0], row.truth, row.where)
            elif file.is_data_set:
                matched.num_others += 1
            else:
                matched.unmatched.append(f"{row.where}: no clip {row.names[0]!r}")
        if file.rows and not num_found:
            first = file.rows[0]
            matched.problems.append(
                f"{printable_path(file.path)}: none of its {len(file.rows)} rows names a clip of "
                f"this run, such as {first.names[0]!r} of {first.where}"
            )


def _clips_of(row: TruthRow, index: ClipIndex, folder: Path, is_data_set: bool) -> list[Path]:
    return next(_candidates(row, index, folder, is_data_set), [])


def _candidates(
    row: TruthRow, index: ClipIndex, folder: Path, is_data_set: bool
) -> Iterator[list[Path]]:
    for name in row.names:
        if found := index.find(name, folder, ignore_folders=is_data_set):
            yield found


def _is_below(clip: Path, folders: Sequence[str]) -> bool:
    """Whether the last folders of a clip's path are these."""
    parents = clip.absolute().parts[:-1]
    return not folders or parents[-len(folders) :] == tuple(folders)
