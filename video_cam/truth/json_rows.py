"""Own annotations in JSON: clips with a class, spans, boxes, masks and key times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from video_cam.truth.clip_truth import Box, ClipTruth, Mask, RowCollector, TruthFile
from video_cam.truth.text_files import not_readable
from video_cam.utils.strict_json import checked

_CLASS_KEYS = ("truth", "class", "label", "class_id")


class RunLengths(msgspec.Struct, forbid_unknown_fields=True):
    """COCO's run lengths: by columns, the first run outside."""

    size: tuple[int, int]
    counts: tuple[int, ...] | str


class _Box(msgspec.Struct, forbid_unknown_fields=True):
    frame: int
    box: tuple[float, float, float, float]


class _Mask(msgspec.Struct, forbid_unknown_fields=True):
    frame: int
    png: str | None = None
    rle: RunLengths | None = None

    def __post_init__(self) -> None:
        if (self.png is None) == (self.rle is None):
            raise ValueError("a mask has png or rle")


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    clip: str
    truth: str | int | None = None
    spans: tuple[tuple[float, float], ...] = ()
    boxes: tuple[_Box, ...] = ()
    masks: tuple[_Mask, ...] = ()
    key_times: dict[str, float] = {}


def read_json_rows(path: Path, content: Any) -> TruthFile:
    """A list of entries with a key "clip", or a dict from clips to entries or classes.

    Raises:
        UsageError: for a value of another form.
    """
    collected = RowCollector()
    for number, value in enumerate(_entries(path, content)):
        where = f"{path.name} entry {number}"
        try:
            entry = checked(value, _Entry)
        except ValueError as error:
            raise not_readable(path, f"entry {number}: {error}") from error
        collected.add(where, [entry.clip], _truth(entry, path.parent))
    return TruthFile(str(path), tuple(collected.rows), problems=tuple(collected.problems))


def _entries(path: Path, content: Any) -> Iterator[Any]:
    if isinstance(content, dict):
        for clip, value in content.items():
            yield (
                _renamed(value, clip) if isinstance(value, dict) else {"clip": clip, "truth": value}
            )
        return
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise not_readable(path, "it holds no list of clips")
    yield from map(_renamed, content)


def _renamed(entry: Mapping[str, Any], clip: str | None = None) -> dict[str, Any]:
    """The entry with the class under "truth", whatever it is called."""
    named = {} if clip is None else {"clip": clip}
    return named | {("truth" if key in _CLASS_KEYS else key): entry[key] for key in entry}


def _truth(entry: _Entry, folder: Path) -> ClipTruth:
    return ClipTruth(
        None if entry.truth is None else str(entry.truth),
        entry.spans,
        tuple(Box(box.frame, *box.box) for box in entry.boxes),
        tuple(_mask(mask, folder) for mask in entry.masks),
        tuple(entry.key_times.items()),
    )


def _mask(mask: _Mask, folder: Path) -> Mask:
    if mask.rle is None:
        return Mask(mask.frame, picture=str(folder / (mask.png or "")))
    return Mask(mask.frame, counts=mask.rle.counts, size=mask.rle.size)
