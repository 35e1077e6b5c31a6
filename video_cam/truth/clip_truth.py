"""What is known of a clip: its class, and when and where the event is."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

Span = tuple[float, float]  # [start, end) in seconds of the clip's time stamps
KeyTime = tuple[str, float]  # a name, which may be empty, and seconds


@dataclass(frozen=True)
class Box:
    """A rectangle in one frame.

    Attributes:
        frame_index: of the source, from 0.
        left, top, right, bottom: in source pixels; pixel i covers [i, i + 1).
    """

    frame_index: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Mask:
    """A region of any form in one frame: a picture, run lengths or polygons.

    Attributes:
        frame_index: of the source, from 0.
        picture: path of a picture whose pixels above 0 are the region.
        counts: lengths of runs that are outside and inside by turns, the first one outside; or
            COCO's compressed text of them.
        size: (height, width) of what the runs fill, in pixels.
        by_column: whether runs go down the columns, as COCO writes them, or along the rows.
        corner: (left, top) of what the runs fill, in source pixels.
        polygons: x, y, x, y, ... in source pixels, the region is what any of them encloses.
    """

    frame_index: int
    picture: str | None = None
    counts: tuple[int, ...] | str = ()
    size: tuple[int, int] = (0, 0)
    by_column: bool = True
    corner: tuple[int, int] = (0, 0)
    polygons: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class ClipTruth:
    """The ground truth of one clip; what is not known is None or empty.

    Attributes:
        class_name: the class's name or number, as the file has it.
        spans: when the event is.
        boxes, masks: where it is, in single frames.
        key_times: moments that the map should mark, such as the end of diastole.
        object_names: names of annotated objects, one of which may be the clip's class.
    """

    class_name: str | None = None
    spans: tuple[Span, ...] = ()
    boxes: tuple[Box, ...] = ()
    masks: tuple[Mask, ...] = ()
    key_times: tuple[KeyTime, ...] = ()
    object_names: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[Box | Mask, ...]:
        """Where the event is: all boxes and masks."""
        return (*self.boxes, *self.masks)

    @property
    def has_events(self) -> bool:
        """Whether it says when or where the event is."""
        return bool(self.spans or self.key_times or self.places)

    def joined(self, other: ClipTruth) -> ClipTruth:
        """What both say; the class is this one's where it has one."""
        return ClipTruth(
            self.class_name if self.class_name is not None else other.class_name,
            *(
                tuple(dict.fromkeys((*getattr(self, name), *getattr(other, name))))
                for name in ("spans", "boxes", "masks", "key_times", "object_names")
            ),
        )

    def digest(self) -> str:
        """32 hexadecimal digits that change with the truth, and with the files of its masks."""
        files = [_stamp(mask.picture) for mask in self.masks if mask.picture is not None]
        text = json.dumps([asdict(self), files], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True)
class TruthRow:
    """One annotation.

    Attributes:
        where: it stands, as "truth.csv line 3".
        names: what its clip may be called: a path, a file's name, or one without suffix.
        truth: what it says.
    """

    where: str
    names: tuple[str, ...]
    truth: ClipTruth


@dataclass(frozen=True)
class TruthFile:
    """The annotations of one file.

    Attributes:
        path: of the file.
        rows: its annotations, in order.
        is_data_set: the file describes a whole data set, of which a run has some clips.
        problems: rows that cannot be used, a few words on each.
    """

    path: str
    rows: tuple[TruthRow, ...]
    is_data_set: bool = False
    problems: tuple[str, ...] = ()


@dataclass
class RowCollector:
    """Collects annotations and what is wrong with others.

    Attributes:
        rows, problems: as in TruthFile.
    """

    rows: list[TruthRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, where: str, names: Sequence[str], truth: ClipTruth) -> None:
        """Keep an annotation whose values are possible ones, and say what is wrong with others."""
        wrong = next(_impossible(truth), None)
        if wrong is not None:
            self.problems.append(f"{where}: {wrong}")
            return
        self.rows.append(TruthRow(where, tuple(names), truth))


def _impossible(truth: ClipTruth) -> Iterator[str]:
    """What of a truth can be true of no clip, in a few words each."""
    for start, end in truth.spans:
        if start < 0 or end <= start:
            yield f"span {start:g} to {end:g} s: expected 0 <= start < end"
    for name, seconds in truth.key_times:
        if seconds < 0:
            yield f"key time {name} {seconds:g} s: expected 0 or more"
    for box in truth.boxes:
        if box.left >= box.right or box.top >= box.bottom:
            yield (
                f"box {box.left:g} {box.top:g} {box.right:g} {box.bottom:g}: expected left < right "
                "and top < bottom"
            )
    for polygon in (polygon for mask in truth.masks for polygon in mask.polygons):
        if len(polygon) < 6 or len(polygon) % 2 or not all(map(math.isfinite, polygon)):
            yield f"polygon of {len(polygon)} numbers: expected x and y of three or more points"
    for place in truth.places:
        if place.frame_index < 0:
            yield f"frame {place.frame_index}: expected 0 or more"


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return path, -1, -1
    return path, found.st_size, found.st_mtime_ns
