"""<output-dir>/index.html: all clips of a run on one page, to sort, filter and open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from video_cam.rendering.page.assets import CLIP_THUMBNAIL, ENVIRONMENT, read_asset
from video_cam.rendering.page.gallery_data import GalleryData
from video_cam.rendering.page.gallery_rows import Tables, row_of
from video_cam.rendering.page.policy import PagePolicy
from video_cam.rendering.page.script_data import script_json
from video_cam.utils.files import write_atomically

# Key of a clip's values -> the column's heading. gallery_table.js has what a cell of each shows.
COLUMNS = (
    ("name", "clip"),
    ("label", "class"),
    ("score", "score"),
    ("drop", "score lost"),
    ("motion_share", "motion"),
    ("duration_seconds", "length"),
    ("status", "status"),
)
# With ground truth, these follow the columns that are named, where any clip has a value.
TRUTH_COLUMNS = {
    "name": [("answer", "answer"), ("truth", "truth")],
    "score": [("mass", "on event")],
}
SCRIPTS = ("load.js", "glossary.js", "gallery_clips.js", "gallery_table.js", "gallery.js")


class Gallery:
    """Takes the results of clips one by one, then writes their page, whole or not at all.

    A context manager: what it wrote is removed where the page was not written.
    """

    def __init__(self, output_dir: Path) -> None:
        """Begin a page.

        Args:
            output_dir: holds the clips' folders; links and thumbnails are relative to it.
        """
        self._output_dir = output_dir
        self._tables = Tables()
        self._data = GalleryData(output_dir, self._tables)
        self._statuses: Counter[str] = Counter()
        self._is_written = False

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_written:
            self._data.remove()

    def add(self, result: Mapping[str, Any]) -> None:
        """Take one clip.

        Args:
            result: a line of results.jsonl. All its text stays text; fields may be missing.

        Raises:
            OSError: where a file cannot be written.
        """
        row = row_of(result, self._tables)
        self._data.add(row)
        if row["status"] >= 0:
            self._statuses[self._tables.texts["status"][row["status"]]] += 1

    def write(self, answers: Mapping[str, Any] | None) -> None:
        """Write the page of all clips that were added, and remove files of an earlier one.

        Args:
            answers: what the ground truth says, as ``evaluation.answers_view`` returns it.

        Raises:
            OSError: where a file cannot be written.
        """
        data = self._data.finish()
        columns = _shown_columns(self._data.fields)
        data["columns"] = dict(columns)
        tables = data["tables"]
        text = ENVIRONMENT.get_template("gallery.html").render(
            policy=PagePolicy(),
            title=self._output_dir.resolve().name,
            counts=self._counts(),
            columns=columns,
            statuses=sorted(tables["status"]),
            labels=sorted(tables["label"]),
            truths=sorted(tables["truth"]),
            answers=answers,
            picture=CLIP_THUMBNAIL,
            data=script_json(data),
            style=read_asset("page.css") + read_asset("gallery.css"),
            script="".join(map(read_asset, SCRIPTS)),
        )
        write_atomically(self._output_dir / "index.html", text.encode())
        self._is_written = True
        self._data.remove_others()

    def _counts(self) -> str:
        """Such as "3 done, 1 failed"."""
        counts = sorted(self._statuses.items())
        return ", ".join(f"{count} {status}" for status, count in counts) or "no clips"


def _shown_columns(fields: Collection[str]) -> list[tuple[str, str]]:
    """Key and heading of each column."""
    columns = []
    for key, heading in COLUMNS:
        further = [one for one in TRUTH_COLUMNS.get(key, ()) if one[0] in fields]
        columns += [(key, heading), *further]
    is_judged = "answer" in fields
    return [(key, "predicted" if is_judged and key == "label" else text) for key, text in columns]
