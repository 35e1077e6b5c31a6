"""Write a folder's index.html, and read the rows back from the data in it."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from video_cam.rendering.page import gallery_data
from video_cam.rendering.page.gallery import Gallery
from video_cam.rendering.page.script_data import read_bytes_script


def write_gallery(
    folder: Path, results: Iterable[Mapping[str, Any]], answers: Mapping[str, Any] | None = None
) -> None:
    """Write the page of these lines of results.jsonl."""
    with Gallery(folder) as gallery:
        for result in results:
            gallery.add(result)
        gallery.write(answers)


def data_of(page: Path) -> dict[str, Any]:
    """What the page's script is given."""
    [text] = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text()
    )
    data: dict[str, Any] = json.loads(text)
    return data


def gallery_rows(page: Path) -> list[dict[str, Any]]:
    """One dictionary for each clip, with texts for positions in tables, and its whole path."""
    data = data_of(page)
    parts = [data["held"]]
    if data["folder"] is not None:
        files = sorted(
            (page.parent / data["folder"]).glob("rows-*.js"),
            key=lambda path: int(path.stem.partition("-")[2]),
        )
        parts = [json.loads(read_data(path)) for path in files]
    return [row for part in parts for row in _rows(part, data["tables"])]


def read_data(path: Path) -> bytes:
    """The content of a file that the page loads."""
    name, data = read_bytes_script(path)
    assert name == path.stem
    return zlib.decompress(base64.b64decode(data))


def _rows(part: dict[str, Any], tables: dict[str, list[str]]) -> list[dict[str, Any]]:
    rows = [
        dict(zip(part["rows"], values, strict=True))
        for values in zip(*part["rows"].values(), strict=True)
    ]
    for row in rows:
        for field, table in tables.items():
            row[field] = table[row[field]] if row[field] >= 0 else None
        row["folder"] = part["folders"][row["folder"]]
        row["clip"] = row["folder"] + row["name"]
    return rows


def keep_few_in_page(patch: pytest.MonkeyPatch) -> None:
    """Pages of more than 10 clips load the others from files of 4, and show 6 rows."""
    patch.setattr(gallery_data, "MAX_CLIPS_IN_PAGE", 10)
    patch.setattr(gallery_data, "CLIPS_PER_FILE", 4)
    patch.setattr(gallery_data, "ROWS_PER_PAGE", 6)
