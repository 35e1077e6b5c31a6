"""Annotations of data sets as they are downloaded: Kinetics, UCF101, Something-Something."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from video_cam.truth.clip_truth import ClipTruth, RowCollector, TruthFile
from video_cam.truth.text_files import not_readable
from video_cam.utils.strict_json import checked

# v_ApplyEyeMakeup_g01_c01: class, group of one scene, clip.
_UCF_NAME = re.compile(r"v_(\w+)_g\d+_c\d+")


class _KineticsNotes(msgspec.Struct):
    label: str
    segment: tuple[float, float]


class _KineticsClip(msgspec.Struct):
    annotations: _KineticsNotes


class _Something(msgspec.Struct):
    id: str | int
    label: str = ""
    template: str = ""


def kinetics_names(video: str, start: str | float, end: str | float) -> list[str]:
    """What downloaders call the clip of a video: ID_000010_000020, or the ID alone."""
    names = [video]
    with suppress(ValueError, OverflowError):  # a cell that holds no time
        names.insert(0, f"{video}_{round(float(start)):06d}_{round(float(end)):06d}")
    return names


def is_kinetics(content: Any) -> bool:
    """Whether a JSON value is Kinetics': videos with a label and a segment."""
    if not isinstance(content, dict) or not content:
        return False
    first = next(iter(content.values()))
    return isinstance(first, dict) and "annotations" in first


def read_kinetics(path: Path, content: Mapping[str, Any]) -> TruthFile:
    """{ID: {"annotations": {"label": ..., "segment": [start, end]}, ...}}.

    Raises:
        UsageError: for a value of another form.
    """
    collected = RowCollector()
    for video, value in content.items():
        try:
            notes = checked(value, _KineticsClip).annotations
        except ValueError as error:
            raise not_readable(path, f"entry {video!r}: {error}") from error
        names = kinetics_names(video, *notes.segment)
        collected.add(f"{path.name} entry {video}", names, ClipTruth(notes.label))
    return TruthFile(str(path), tuple(collected.rows), True)


def is_something(content: Any) -> bool:
    """Whether a JSON value is Something-Something's: ids with a label or a template."""
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        return False
    return "id" in content[0] and ("template" in content[0] or "label" in content[0])


def read_something(path: Path, content: Sequence[Any]) -> TruthFile:
    """[{"id": "78687", "label": ..., "template": "Holding [something] next to [something]"}].

    The class is the template; the label names the objects of this clip.

    Raises:
        UsageError: for a value of another form.
    """
    collected = RowCollector()
    for number, value in enumerate(content):
        try:
            entry = checked(value, _Something)
        except ValueError as error:
            raise not_readable(path, f"entry {number}: {error}") from error
        truth = ClipTruth(entry.template or entry.label)
        collected.add(f"{path.name} entry {number}", [str(entry.id)], truth)
    return TruthFile(str(path), tuple(collected.rows), True)


def read_split(path: Path, text: str) -> TruthFile:
    """A list of clips: UCF101's trainlist and testlist, or lines of a path and a class's number.

    UCF101 counts its classes from 1, and other lists from 0; of UCF101's clips the class is that in
    their names.

    Raises:
        UsageError: for lines without a class.
    """
    collected = RowCollector()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        where, clip = f"{path.name} line {number}", line.strip()
        if ucf := _UCF_NAME.fullmatch(PurePosixPath(clip.split()[0]).stem):
            collected.add(where, [clip.split()[0]], ClipTruth(ucf[1]))
            continue
        name, _, class_id = clip.rpartition(" ")
        if not name or not class_id.isdecimal():
            raise not_readable(path, f"line {number} is no path with the number of a class")
        collected.add(where, [name.strip()], ClipTruth(class_id))
    return TruthFile(str(path), tuple(collected.rows), True)
