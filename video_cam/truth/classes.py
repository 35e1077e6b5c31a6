"""Class names of annotations among the labels of a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from video_cam.truth.clip_truth import ClipTruth

MAX_ID_DIGITS = 18  # as of --class-id: longer numbers are names


class LabelTable:
    """Finds classes by their numbers and names.

    Upper and lower case are the same, and so are spaces, ``_`` and other signs:
    ``ApplyEyeMakeup``, ``apply_eye_makeup`` and ``Apply eye makeup`` are one name.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        """Prepare the search among a network's labels, in the order of their ids."""
        self.labels = tuple(labels)
        self._exact = _ids(self.labels, list(self.labels))
        self._plain = _ids(self.labels, list(map(plain_name, self.labels)))

    def find(self, name: str) -> int | None:
        """The id of a class; None where no class, or more than one, has this name."""
        name = name.strip()
        if name.isdecimal() and len(name) <= MAX_ID_DIGITS:
            return int(name) if int(name) < len(self.labels) else None
        for table, key in ((self._exact, name), (self._plain, plain_name(name))):
            ids = table.get(key, [])
            if len(ids) == 1:
                return ids[0]
        return None

    def class_of(self, truth: ClipTruth) -> int | None:
        """The id of a clip's class; None where it is not known.

        Names of objects count where the network knows exactly one of them as a class.
        """
        if truth.class_name is not None:
            return self.find(truth.class_name)
        known = {self.find(name) for name in truth.object_names} - {None}
        return known.pop() if len(known) == 1 else None


@lru_cache(4)
def label_table(labels: tuple[str, ...]) -> LabelTable:
    """The table of these labels, made once for all clips of a run."""
    return LabelTable(labels)


def plain_name(name: str) -> str:
    """The letters and digits of a name, in lower case."""
    return "".join(c for c in name.casefold() if c.isalnum())


def _ids(labels: Sequence[str], keys: Sequence[str]) -> dict[str, list[int]]:
    """Key -> the ids of the classes that have it; no class has an empty key."""
    table: dict[str, list[int]] = {}
    for class_id in range(len(labels)):
        if keys[class_id]:
            table.setdefault(keys[class_id], []).append(class_id)
    return table
