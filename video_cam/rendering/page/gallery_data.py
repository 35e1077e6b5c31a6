"""The clips of an output folder as data for the page of all clips, which is opened from disk.

Some thousand clips are in the page itself. Of more, the page holds those that it shows first, and
the rest lies in a folder beside it, in scripts that the page loads when they are needed: a number
for each clip and field, by which all clips are sorted and filtered; and the texts of some hundred
clips in each file.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import shutil
import zlib
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from video_cam.rendering.page.gallery_rows import (
    NUMBERS,
    TABLED,
    WRONG,
    Row,
    Tables,
    columns_of,
)
from video_cam.rendering.page.script_data import write_bytes_script
from video_cam.rendering.result_folder import INDEX_DATA
from video_cam.utils.files import sync, sync_tree

MAX_CLIPS_IN_PAGE = 5000
# 200 rows of a sorted table may lie in 200 files, and a search reads all files.
CLIPS_PER_FILE = 500
ROWS_PER_PAGE = 200  # of the table; a browser takes half a minute for 100,000 rows
_FAST = 1  # a level of zlib: 9 makes files smaller by a fifth and takes three times as long
_DIGITS = re.compile(r"[0-9]+")
_OWN_FOLDER = re.compile(r"\.?[0-9a-f]{16}")  # with a point while it is written


class GalleryData:
    """Takes the rows of clips one by one, and holds little of them in memory.

    Each time, the files get a new folder in INDEX_DATA, so that a page finds its own files or
    none; ``remove_others`` is for the time when the new page is there.

    Attributes:
        num_clips: that came.
        fields: that had a value in any row.
    """

    def __init__(self, output_dir: Path, tables: Tables) -> None:
        self.num_clips = 0
        self.fields: set[str] = set()
        self._root, self._tables = output_dir / INDEX_DATA, tables
        self._token = secrets.token_hex(8)
        self._rows: list[Row] = []  # that are in no file yet
        self._num_files = 0
        self._numbers = {name: array("f") for name in NUMBERS}
        self._positions = {name: array("i") for name in TABLED}
        self._name_keys: list[bytes] = []
        self._first: list[tuple[int, Row]] = []
        self._of_concern: list[tuple[int, Row]] = []

    def add(self, row: Row) -> None:
        """Take one row.

        Raises:
            OSError: where a file cannot be written.
        """
        self.fields |= {name for name, value in row.items() if value not in (None, "", -1)}
        for name, numbers in self._numbers.items():
            numbers.append(float("nan") if row[name] is None else row[name])
        for name, positions in self._positions.items():
            positions.append(row[name])
        self._name_keys.append(_name_key(row["name"]))
        self._keep_for_opening(row)
        self._rows.append(row)
        self.num_clips += 1
        if self.num_clips > MAX_CLIPS_IN_PAGE:
            while len(self._rows) >= CLIPS_PER_FILE:
                self._write_rows()

    def finish(self) -> dict[str, Any]:
        """Write what is left.

        Returns:
            For the page's script: num_clips, rows_per_page, the texts of TABLED, folder with the
            files (None where there are none), clips_per_file, and the clips that the page holds:
            ``columns_of`` them and indices (None for all, else which).

        Raises:
            OSError: where a file cannot be written.
        """
        is_whole = self.num_clips <= MAX_CLIPS_IN_PAGE
        if is_whole:
            indices, rows = None, self._rows
        else:
            self._write_files()
            opening = self._of_concern if "answer" in self.fields else self._first
            indices = [index for index, _ in opening[:ROWS_PER_PAGE]]
            rows = [row for _, row in opening[:ROWS_PER_PAGE]]
        return {
            "num_clips": self.num_clips,
            "rows_per_page": ROWS_PER_PAGE,
            "tables": self._tables.texts,
            "folder": None if is_whole else f"{INDEX_DATA}/{self._token}",
            "clips_per_file": CLIPS_PER_FILE,
            "held": {"indices": indices, **columns_of(rows)},
        }

    def remove(self) -> None:
        """Remove the files that were written, where the page is not."""
        for name in (self._token, f".{self._token}"):
            shutil.rmtree(self._root / name, ignore_errors=True)
        self._remove_empty()

    def remove_others(self) -> None:
        """Remove the files of earlier pages, also of those whose process was killed."""
        if not self._root.is_dir():
            return
        for folder in self._root.iterdir():
            if is_data_folder(folder.name) and folder.name != self._token:
                shutil.rmtree(folder, ignore_errors=True)
        self._remove_empty()

    def _keep_for_opening(self, row: Row) -> None:
        """The clips that the page shows first: in their order, or with ground truth the errors."""
        index = self.num_clips
        if index < ROWS_PER_PAGE:
            self._first.append((index, row))
        self._of_concern.append((index, row))
        if len(self._of_concern) >= 2 * ROWS_PER_PAGE:
            self._of_concern.sort(key=self._concern)
            del self._of_concern[ROWS_PER_PAGE:]

    def _concern(self, entry: tuple[int, Row]) -> tuple[int, float, int]:
        """Sorts errors first, the most confident before others, then right answers.

        As ``concern`` of gallery.js does with the numbers that it loads.
        """
        index, row = entry
        if row["answer"] < 0:
            return 1, 0.0, index
        score = self._numbers["score"][index]
        known = 0.0 if math.isnan(score) else score
        is_wrong = self._tables.texts["answer"][row["answer"]] == WRONG
        return 0, -(1e9 + known) if is_wrong else known, index

    def _write_rows(self) -> None:
        rows, self._rows = self._rows[:CLIPS_PER_FILE], self._rows[CLIPS_PER_FILE:]
        text = json.dumps(columns_of(rows), allow_nan=False, separators=(",", ":"))
        self._write(f"rows-{self._num_files}", text.encode())
        self._num_files += 1

    def _write_files(self) -> None:
        while self._rows:
            self._write_rows()
        numbers: dict[str, array[Any]] = {**self._numbers, **self._positions}
        for name, values in numbers.items():
            self._write(name, values.tobytes())
        self._write("name", _ranks(self._name_keys).tobytes())
        self._of_concern.sort(key=self._concern)
        hidden = self._root / f".{self._token}"
        sync_tree(hidden)
        hidden.rename(self._root / self._token)
        sync(self._root)

    def _write(self, name: str, data: bytes) -> None:
        hidden = self._root / f".{self._token}"
        hidden.mkdir(parents=True, exist_ok=True)
        write_bytes_script(hidden, name, zlib.compress(data, _FAST))

    def _remove_empty(self) -> None:
        with suppress(OSError):  # other files are in it, or it is not there
            self._root.rmdir()


def is_data_folder(name: str) -> bool:
    """Whether a folder in INDEX_DATA is one of files for a page."""
    return _OWN_FOLDER.fullmatch(name) is not None


def _name_key(name: str) -> bytes:
    """Sorts names as people do: without regard to case, and c9 before c10."""
    return _DIGITS.sub(_sortable, name.casefold()).encode()


def _sortable(digits: re.Match[str]) -> str:
    """Digits after how many they are."""
    number = digits[0].lstrip("0")
    return f"{len(number):03d}{number}"


def _ranks(keys: Sequence[bytes]) -> array[int]:
    """The position of each key among all different ones, sorted."""
    ranks = array("i", bytes(4 * len(keys)))
    rank, before = -1, None
    for index in sorted(range(len(keys)), key=keys.__getitem__):
        if keys[index] != before:
            rank, before = rank + 1, keys[index]
        ranks[index] = rank
    return ranks
